import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { AttnRes, AttnResGrad } from '../kernels/contracts/attn_res.js';

export const attnResGradient = gradientOf(AttnRes, {
  save: ['v', 'wQuery', 'wNorm', 'stats'],
  hide: ['stats'],
  backward: ({ y: dy }, { v, wQuery, wNorm, stats }, _, wants) => {
    const dweights = wants.wQuery || wants.wNorm;
    const { dv, dwQuery, dwNorm } = runKernel(AttnResGrad, { dy, v, wQuery, wNorm, stats }, { dweights });
    return { v: () => dv, wQuery: () => dwQuery, wNorm: () => dwNorm };
  },
});
