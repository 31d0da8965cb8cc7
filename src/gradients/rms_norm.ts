import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { RmsNorm, RmsNormGrad } from '../kernels/contracts/rms_norm.js';

export const rmsNormGradient = gradientOf(RmsNorm, {
  save: ['x', 'gamma', 'rstd'],
  hide: ['rstd'],
  backward: ({ y: dy }, { x, gamma, rstd }, { offset }, wants) => {
    const { dx, dgamma } = runKernel(RmsNormGrad, { dy, x, gamma, rstd }, { offset, dgamma: wants.gamma });
    return { x: () => dx, gamma: () => dgamma };
  },
});
