import { reshape } from '@tensorflow/tfjs-core';
import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { ModulatedRmsNorm, ModulatedRmsNormGrad } from '../kernels/contracts/modulated_rms_norm.js';

export const modulatedRmsNormGradient = gradientOf(ModulatedRmsNorm, {
  save: ['x', 'gamma', 'scale', 'rstd'],
  hide: ['rstd'],
  backward: ({ y: dy }, { x, gamma, scale, rstd }, { offset }, wants) => {
    const attrs = { offset, dgamma: wants.gamma, dshift: scale.size !== x.size };
    const { dx, dscale, dgamma, dshift } = runKernel(ModulatedRmsNormGrad, { dy, x, gamma, scale, rstd }, attrs);
    return {
      x: () => dx,
      gamma: () => dgamma,
      scale: () => dscale,
      // Where every row has its own, that of shift is dy.
      shift: () => dshift ?? reshape(dy, scale.shape),
    };
  },
});
