import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { MhcPostRes, MhcPostResGrad } from '../kernels/contracts/mhc_post_res.js';

export const mhcPostResGradient = gradientOf(MhcPostRes, {
  save: ['x', 'fOut', 'hPost', 'hRes'],
  backward: ({ y: dy }, { x, fOut, hPost, hRes }) => {
    const { dx, dfOut, dhPost, dhRes } = runKernel(MhcPostResGrad, { dy, x, fOut, hPost, hRes }, {});
    return { x: () => dx, fOut: () => dfOut, hPost: () => dhPost, hRes: () => dhRes };
  },
});
