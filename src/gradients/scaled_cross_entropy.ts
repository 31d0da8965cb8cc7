import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { ScaledCrossEntropy, ScaledCrossEntropyGrad } from '../kernels/contracts/scaled_cross_entropy.js';

export const scaledCrossEntropyGradient = gradientOf(ScaledCrossEntropy, {
  save: ['logits', 'labels', 'lse', 'entropy'],
  hide: ['lse'],
  backward: ({ nll: dnll, entropy: dentropy }, saved, { temperature, ignoreIndex }, _, inPlace) => ({
    logits: () =>
      runKernel(ScaledCrossEntropyGrad, { ...saved, dnll, dentropy }, { temperature, ignoreIndex, inPlace }).dlogits,
  }),
});
