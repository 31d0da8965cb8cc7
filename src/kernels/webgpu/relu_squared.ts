import { ReluSquared, ReluSquaredGrad } from '../contracts/relu_squared.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { runElementwise } from './shared/elementwise.js';
import { definePointwise } from './shared/pointwise.js';
import { reluSquared as pointwise } from './wgsl/pointwise.js';

const programs = definePointwise('reluSquared', ['x'], pointwise);

export const reluSquared = webgpuKernel(ReluSquared, (gpu, { x }) => {
  const y = gpu.output(x.shape);
  runElementwise(gpu, programs.forward, {}, { x, y });
  return { y };
});

export const reluSquaredGrad = webgpuKernel(ReluSquaredGrad, (gpu, { dy, x }) => {
  const dx = gpu.output(x.shape);
  runElementwise(gpu, programs.backward, {}, { dy, x, dx });
  return { dx };
});
