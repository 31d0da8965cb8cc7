import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import {
  FusedLinearScaledCrossEntropy,
  FusedLinearScaledCrossEntropyGrad,
} from '../kernels/contracts/fused_linear_scaled_cross_entropy.js';

export const fusedLinearScaledCrossEntropyGradient = gradientOf(FusedLinearScaledCrossEntropy, {
  save: ['x', 'weight', 'bias', 'labels', 'lse', 'entropy'],
  hide: ['lse'],
  backward: ({ nll: dnll, entropy: dentropy }, saved, { returnEntropy: _, ...attrs }, { x, weight, bias }) => {
    const { dx, dweight, dbias } = runKernel(
      FusedLinearScaledCrossEntropyGrad,
      { ...saved, dnll, dentropy },
      { ...attrs, gradients: { x, weight, bias } },
    );
    return { x: () => dx, weight: () => dweight, bias: () => dbias };
  },
});
