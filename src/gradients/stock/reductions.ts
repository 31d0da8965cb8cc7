/** tfjs's gradients of reductions multiply by ones that are made in JavaScript. */
import { broadcastTo, div, Mean, type NamedAttrMap, reshape, Sum, type Tensor, util } from '@tensorflow/tfjs-core';
import type { GradientReplacement } from '../../engine/stock_kernels.js';

const axesOf = ({ shape }: Tensor, { axis }: NamedAttrMap) => util.parseAxisParam(axis as number | number[], shape);

/** dy for each element of x, of which `axes` were reduced. */
function spread(dy: Tensor, { shape }: Tensor, axes: readonly number[]): Tensor {
  const kept = shape.map((extent, i) => (axes.includes(i) ? 1 : extent));
  return broadcastTo(reshape(dy, kept), shape);
}

export const sum: GradientReplacement = {
  kernelName: Sum,
  gradFunc: (dy, [x], attrs) => ({ x: () => spread(dy as Tensor, x!, axesOf(x!, attrs)) }),
};

export const mean: GradientReplacement = {
  kernelName: Mean,
  gradFunc: (dy, [x], attrs) => {
    const axes = axesOf(x!, attrs);
    const size = util.sizeFromShape(axes.map((axis) => x!.shape[axis]!));
    return { x: () => spread(div(dy as Tensor, size), x!, axes) };
  },
};
