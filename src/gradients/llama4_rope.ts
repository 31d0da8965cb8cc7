import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { Llama4Rope } from '../kernels/contracts/llama4_rope.js';

export const llama4RopeGradient = gradientOf(Llama4Rope, {
  save: ['freqsReal', 'freqsImag'],
  backward: ({ rotatedQ, rotatedK }, { freqsReal, freqsImag }, { transposed }) => {
    const inputs = { q: rotatedQ, k: rotatedK, freqsReal, freqsImag };
    const { rotatedQ: dq, rotatedK: dk } = runKernel(Llama4Rope, inputs, { transposed: !transposed });
    return { q: () => dq, k: () => dk };
  },
});
