import { zerosLike } from '@tensorflow/tfjs-core';
import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { CrossEntropy, CrossEntropyGrad } from '../kernels/contracts/cross_entropy.js';

export const crossEntropyGradient = gradientOf(CrossEntropy, {
  save: ['logits', 'labels', 'weight', 'lse', 'stats'],
  hide: ['lse', 'stats'],
  backward: ({ loss: dy }, { logits, labels, weight, lse, stats }, attrs, _, inPlace) => ({
    logits: () =>
      runKernel(CrossEntropyGrad, { dy, logits, labels, weight, lse, stats }, { ...attrs, inPlace }).dlogits,
    // Not differentiable, but the tape asks for it when it depends on a variable.
    ...(weight && { weight: () => zerosLike(weight) }),
  }),
});
