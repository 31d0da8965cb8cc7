import { zerosLike } from '@tensorflow/tfjs-core';
import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { FusedCrossEntropyTvd, FusedCrossEntropyTvdGrad } from '../kernels/contracts/fused_cross_entropy_tvd.js';

export const fusedCrossEntropyTvdGradient = gradientOf(FusedCrossEntropyTvd, {
  save: ['studentLogits', 'teacherLogits', 'labels', 'stats'],
  hide: ['stats'],
  backward: ({ crossEntropy: dcrossEntropy, tvd: dtvd }, saved, { ignoreIndex }, _, inPlace) => ({
    studentLogits: () =>
      runKernel(FusedCrossEntropyTvdGrad, { dcrossEntropy, dtvd, ...saved }, { ignoreIndex, inPlace }).dstudentLogits,
    // Not differentiable, but the tape asks for it when it depends on a variable.
    teacherLogits: () => zerosLike(saved.teacherLogits),
  }),
});
