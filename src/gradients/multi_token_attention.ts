import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { MultiTokenAttention, MultiTokenAttentionGrad } from '../kernels/contracts/multi_token_attention.js';

export const multiTokenAttentionGradient = gradientOf(MultiTokenAttention, {
  save: ['scores', 'weight', 'stats'],
  hide: ['stats'],
  backward: ({ y: dy }, { scores, weight, stats }, attrs, wants) => {
    const inputs = { dy, scores, stats, weight };
    const none = { ...attrs, dscores: false, dweight: false, dbias: false };
    const ofMaps = { ...none, dscores: wants.scores, dweight: wants.weight };
    const { dscores, dweight } = wants.scores || wants.weight ? runKernel(MultiTokenAttentionGrad, inputs, ofMaps) : {};
    return {
      scores: () => dscores,
      weight: () => dweight,
      bias: () => runKernel(MultiTokenAttentionGrad, inputs, { ...none, dbias: true }).dbias,
    };
  },
});
