import { cast, OneHot, type Tensor, zerosLike } from '@tensorflow/tfjs-core';
import type { GradientReplacement } from '../../engine/stock_kernels.js';

/** tfjs's makes the zeros in JavaScript. */
export const oneHot: GradientReplacement = {
  kernelName: OneHot,
  gradFunc: (_, saved) => {
    const [indices] = saved as [Tensor];
    return { indices: () => zerosLike(cast(indices, 'float32')) };
  },
};
