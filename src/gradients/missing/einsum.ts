import {
  broadcastTo,
  Einsum,
  type EinsumAttrs,
  type GradConfig,
  reshape,
  type Tensor,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { type Labelled, labelsOf, ordered, product, summedTo } from '../../engine/contraction.js';

/** The gradient of an operand: dy times the other operand, if there is one, and the same along what was summed in it alone. */
function gradientOf(operand: Labelled, other: Labelled | undefined, dy: Labelled): Tensor {
  const { shape } = operand.tensor;
  if ([operand, other ?? dy, dy].some(({ tensor }) => tensor.size === 0)) return zerosLike(operand.tensor);
  const slope = other ? product(dy, summedTo(other, [...operand.labels, ...dy.labels]), operand.labels) : dy;
  const present = operand.labels.filter((label) => slope.labels.includes(label));
  const kept = shape.map((extent, axis) => (present.includes(operand.labels[axis]!) ? extent : 1));
  return broadcastTo(reshape(ordered(slope, present), kept), shape);
}

/** Of one or two operands, which is all that tfjs takes. */
export const einsum: GradConfig = {
  kernelName: Einsum,
  saveAllInputs: true,
  gradFunc: (dy, saved, attrs) => {
    const { equation } = attrs as unknown as EinsumAttrs;
    const labels = labelsOf(equation, saved);
    if (!labels)
      throw new Error(`einsum: there is no gradient of '${equation}', which has a label twice in an operand`);
    const result = { tensor: dy as Tensor, labels: labels.result };
    const operands = saved.map((tensor, i) => ({ tensor, labels: labels.operands[i]! }));
    return Object.fromEntries(operands.map((operand, i) => [i, () => gradientOf(operand, operands[1 - i], result)]));
  },
};
