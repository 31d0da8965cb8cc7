import { zerosLike } from '@tensorflow/tfjs-core';
import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { LogitsDivergence, LogitsDivergenceGrad } from '../kernels/contracts/logits_divergence.js';

export const logitsDivergenceGradient = gradientOf(LogitsDivergence, {
  save: ['student', 'teacher', 'stats'],
  hide: ['stats'],
  backward: ({ loss: dloss }, saved, attrs) => ({
    student: () => runKernel(LogitsDivergenceGrad, { dloss, ...saved }, attrs).dstudent,
    // Not differentiable, but the tape asks for it when it depends on a variable.
    teacher: () => zerosLike(saved.teacher),
  }),
});
