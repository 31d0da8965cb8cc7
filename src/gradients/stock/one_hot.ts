import { fill, OneHot, type Tensor } from '@tensorflow/tfjs-core';
import type { GradientReplacement } from '../../engine/stock_kernels.js';

/** tfjs's makes the zeros in JavaScript. */
export const oneHot: GradientReplacement = {
  kernelName: OneHot,
  gradFunc: (_, saved) => ({ indices: () => fill((saved[0] as Tensor).shape, 0) }),
};
