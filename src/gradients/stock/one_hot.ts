import { OneHot, type Tensor } from '@tensorflow/tfjs-core';
import type { GradientReplacement } from '../../engine/stock_kernels.js';
import { noGradient } from '../shared/no_gradient.js';

/** tfjs's makes the zeros in JavaScript. */
export const oneHot: GradientReplacement = {
  kernelName: OneHot,
  gradFunc: (_, saved) => ({ indices: () => noGradient(saved[0] as Tensor) }),
};
