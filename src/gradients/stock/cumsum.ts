import { Cumsum, type CumsumAttrs, cumsum as cumsumOf, type Tensor } from '@tensorflow/tfjs-core';
import type { GradientReplacement } from '../../engine/stock_kernels.js';

/** tfjs's transposes it where the axis is not the last one. */
export const cumsum: GradientReplacement = {
  kernelName: Cumsum,
  gradFunc: (dy, _, attrs) => {
    const { axis, exclusive, reverse } = attrs as unknown as CumsumAttrs;
    return { x: () => cumsumOf(dy as Tensor, axis, exclusive, !reverse) };
  },
};
