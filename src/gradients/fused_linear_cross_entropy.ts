import { zerosLike } from '@tensorflow/tfjs-core';
import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { FusedLinearCrossEntropy } from '../kernels/contracts/fused_linear_cross_entropy.js';
import { chunkedLossGradients, GRADIENTS, savesForChunkedLoss } from './shared/chunked_loss.js';

const lossOnly = { returnZLoss: false, returnTokenAccuracy: false, returnPredictedTokens: false };

export const fusedLinearCrossEntropyGradient = gradientOf(FusedLinearCrossEntropy, {
  save: ['x', 'weight', 'labels', 'bias', 'classWeight', ...GRADIENTS],
  saves: savesForChunkedLoss,
  hide: GRADIENTS,
  backward: ({ loss: dy }, saved, attrs, { x, weight, bias }) => ({
    ...chunkedLossGradients(attrs, dy, saved, () => {
      const { dx: _, dweight: __, dbias: ___, ...inputs } = saved;
      return runKernel(
        FusedLinearCrossEntropy,
        { ...inputs, dy },
        { ...attrs, ...lossOnly, gradients: { x, weight, bias } },
      );
    }),
    // Not differentiable, but the tape asks for it when it depends on a variable.
    classWeight: () => zerosLike(saved.classWeight!),
  }),
});
