import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { Dyt, DytGrad } from '../kernels/contracts/dyt.js';

export const dytGradient = gradientOf(Dyt, {
  save: ['x', 'alpha', 'gamma'],
  backward: ({ y: dy }, { x, alpha, gamma }) => {
    const { dx, dalpha, dgamma, dbeta } = runKernel(DytGrad, { dy, x, alpha, gamma }, {});
    return { x: () => dx, alpha: () => dalpha, gamma: () => dgamma, beta: () => dbeta };
  },
});
