import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { PolyNorm, PolyNormGrad } from '../kernels/contracts/poly_norm.js';

export const polyNormGradient = gradientOf(PolyNorm, {
  save: ['x', 'weight', 'rstd'],
  hide: ['rstd'],
  backward: ({ y: dy }, { x, weight, rstd }) => {
    const { dx, dweight, dbias } = runKernel(PolyNormGrad, { dy, x, weight, rstd }, {});
    return { x: () => dx, weight: () => dweight, bias: () => dbias };
  },
});
