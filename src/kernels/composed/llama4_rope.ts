import { Llama4Rope } from '../contracts/llama4_rope.js';
import { composedKernel } from './shared/composed_kernel.js';
import { rotateInterleaved } from './shared/rotation.js';

export const llama4Rope = composedKernel(Llama4Rope, ({ q, k, freqsReal, freqsImag }, { transposed }) => {
  const rotation = { layout: 'bthd', transposed } as const;
  return {
    rotatedQ: rotateInterleaved(q, freqsReal, freqsImag, rotation),
    rotatedK: rotateInterleaved(k, freqsReal, freqsImag, rotation),
  };
});
