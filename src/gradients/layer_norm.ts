import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { LayerNorm, LayerNormGrad } from '../kernels/contracts/layer_norm.js';

export const layerNormGradient = gradientOf(LayerNorm, {
  save: ['x', 'gamma', 'mean', 'rstd'],
  hide: ['mean', 'rstd'],
  backward: ({ y: dy }, { x, gamma, mean, rstd }) => {
    const { dx, dgamma, dbeta } = runKernel(LayerNormGrad, { dy, x, gamma, mean, rstd }, {});
    return { x: () => dx, gamma: () => dgamma, beta: () => dbeta };
  },
});
