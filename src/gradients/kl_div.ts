import { zerosLike } from '@tensorflow/tfjs-core';
import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { KlDiv, KlDivGrad } from '../kernels/contracts/kl_div.js';

export const klDivGradient = gradientOf(KlDiv, {
  save: ['input', 'target', 'labels', 'divisor'],
  hide: ['divisor'],
  backward: ({ loss: dy }, saved, attrs) => ({
    input: () => runKernel(KlDivGrad, { dy, ...saved }, attrs).dinput,
    // Not differentiable, but the tape asks for it when it depends on a variable.
    target: () => zerosLike(saved.target),
  }),
});
