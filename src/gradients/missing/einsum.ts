import {
  backend_util,
  broadcastTo,
  Einsum,
  type EinsumAttrs,
  einsum as einsumOf,
  type GradConfig,
  matMul,
  reshape,
  sum,
  type Tensor,
  transpose,
  util,
  zerosLike,
} from '@tensorflow/tfjs-core';

/** A tensor, and the label of each of its dimensions. */
interface Labelled {
  tensor: Tensor;
  labels: readonly string[];
}

const same = (a: readonly string[], b: readonly string[]) => a.join('') === b.join('');

const extentsOf = ({ tensor, labels }: Labelled, wanted: readonly string[]) =>
  wanted.map((label) => tensor.shape[labels.indexOf(label)]!);

/** The same tensor with its dimensions in another order. */
function ordered({ tensor, labels }: Labelled, wanted: readonly string[]): Tensor {
  return same(labels, wanted)
    ? tensor
    : transpose(
        tensor,
        wanted.map((label) => labels.indexOf(label)),
      );
}

/** Summed over the dimensions that none of `kept` names. */
function summedTo({ tensor, labels }: Labelled, kept: readonly string[]): Labelled {
  const axes = labels.flatMap((label, axis) => (kept.includes(label) ? [] : [axis]));
  if (axes.length === 0) return { tensor, labels };
  return { tensor: sum(tensor, axes), labels: labels.filter((label) => kept.includes(label)) };
}

/** A batch of matrices [batch, rows, columns]; those that lie there transposed are left as they are, and `flip` says so. */
function matrices(term: Labelled, [batch, rows, columns]: readonly [string[], string[], string[]]) {
  const sizes = [batch, rows, columns].map((labels) => util.sizeFromShape(extentsOf(term, labels))) as [
    number,
    number,
    number,
  ];
  const flip = same(term.labels, [...batch, ...columns, ...rows]);
  const tensor = flip ? term.tensor : ordered(term, [...batch, ...rows, ...columns]);
  return { flip, tensor: reshape(tensor, flip ? [sizes[0], sizes[2], sizes[1]] : sizes) };
}

/** The product of x and y with the labels `kept`, as far as one of them has these. All others both have: they are summed over. */
function product(x: Labelled, y: Labelled, kept: readonly string[]): Labelled {
  const labels = kept.filter((label) => x.labels.includes(label) || y.labels.includes(label));
  const summed = x.labels.filter((label) => !kept.includes(label));
  const batch = labels.filter((label) => x.labels.includes(label) && y.labels.includes(label));
  const outer = labels.filter((label) => !batch.includes(label));
  if (summed.length === 0 || outer.length === 0) {
    const equation = `${x.labels.join('')},${y.labels.join('')}->${labels.join('')}`;
    return { tensor: einsumOf(equation, x.tensor, y.tensor), labels };
  }
  // tfjs's einsum would make all the products before it sums them, which a matrix product does not.
  const [a, b] = y.labels.includes(outer[0]!) ? [y, x] : [x, y];
  const [rows, columns] = [a, b].map((term) => outer.filter((label) => term.labels.includes(label))) as [
    string[],
    string[],
  ];
  const [left, right] = [matrices(a, [batch, rows, summed]), matrices(b, [batch, summed, columns])];
  return {
    tensor: reshape(matMul(left.tensor, right.tensor, left.flip, right.flip), [
      ...extentsOf(a, [...batch, ...rows]),
      ...extentsOf(b, columns),
    ]),
    labels: [...batch, ...rows, ...columns],
  };
}

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
    const { allDims, summedDims, idDims } = backend_util.decodeEinsumEquation(equation, saved.length);
    const result = { tensor: dy as Tensor, labels: allDims.slice(0, allDims.length - summedDims.length) };
    const operands = saved.map((tensor, i) => ({ tensor, labels: idDims[i]!.map((dim) => allDims[dim]!) }));
    return Object.fromEntries(operands.map((operand, i) => [i, () => gradientOf(operand, operands[1 - i], result)]));
  },
};
