import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { MhcPre, MhcPreGrad } from '../kernels/contracts/mhc_pre.js';

export const mhcPreGradient = gradientOf(MhcPre, {
  save: ['x', 'hPre'],
  backward: ({ y: dy }, { x, hPre }) => {
    const { dx, dhPre } = runKernel(MhcPreGrad, { dy, x, hPre }, {});
    return { x: () => dx, hPre: () => dhPre };
  },
});
