import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { GroupNorm, GroupNormGrad } from '../kernels/contracts/group_norm.js';

export const groupNormGradient = gradientOf(GroupNorm, {
  save: ['x', 'gamma', 'mean', 'rstd'],
  hide: ['mean', 'rstd'],
  backward: ({ y: dy }, { x, gamma, mean, rstd }, { numGroups, dataFormat }) => {
    const { dx, dgamma, dbeta } = runKernel(GroupNormGrad, { dy, x, gamma, mean, rstd }, { numGroups, dataFormat });
    return { x: () => dx, gamma: () => dgamma, beta: () => dbeta };
  },
});
