import { zerosLike } from '@tensorflow/tfjs-core';
import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { Tvd, TvdGrad } from '../kernels/contracts/tvd.js';

export const tvdGradient = gradientOf(Tvd, {
  save: ['input', 'target', 'labels', 'divisor'],
  hide: ['divisor'],
  backward: ({ loss: dy }, saved, attrs) => ({
    input: () => runKernel(TvdGrad, { dy, ...saved }, attrs).dinput,
    // Not differentiable, but the tape asks for it when it depends on a variable.
    target: () => zerosLike(saved.target),
  }),
});
