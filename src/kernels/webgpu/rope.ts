import { Rope } from '../contracts/rope.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { rotate } from './shared/rotation.js';

export const rope = webgpuKernel(Rope, rotate);
