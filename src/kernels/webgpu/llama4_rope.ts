import { Llama4Rope } from '../contracts/llama4_rope.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { rotate } from './shared/rotation.js';

export const llama4Rope = webgpuKernel(Llama4Rope, (gpu, { q, k, freqsReal, freqsImag }, { transposed }) =>
  rotate(gpu, { q, k, cos: freqsReal, sin: freqsImag }, { layout: 'bthd', interleaved: true, transposed }),
);
