import { Qwen2vlMrope } from '../contracts/qwen2vl_mrope.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { rotate } from './shared/rotation.js';

export const qwen2vlMrope = webgpuKernel(Qwen2vlMrope, (gpu, inputs, { mropeSection, transposed }) =>
  rotate(gpu, inputs, { layout: 'bhtd', sections: mropeSection, transposed }),
);
