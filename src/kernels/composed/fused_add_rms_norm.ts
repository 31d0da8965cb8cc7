import { add } from '@tensorflow/tfjs-core';
import { FusedAddRmsNorm, FusedAddRmsNormGrad } from '../contracts/fused_add_rms_norm.js';
import { rmsNorm, rmsNormGrad } from './rms_norm.js';
import { composedKernel } from './shared/composed_kernel.js';

export const fusedAddRmsNorm = composedKernel(FusedAddRmsNorm, ({ x, residual, gamma }, attrs) => {
  const sum = add(x, residual);
  return { ...rmsNorm.run({ x: sum, gamma }, attrs), sum };
});

export const fusedAddRmsNormGrad = composedKernel(FusedAddRmsNormGrad, ({ dy, dsum, sum, gamma, rstd }, attrs) => {
  const { dx, dgamma } = rmsNormGrad.run({ dy, x: sum, gamma, rstd }, attrs);
  return { dx: add(dx, dsum), dgamma };
});
