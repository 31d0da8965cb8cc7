import { ReluSquared, ReluSquaredGrad } from '../contracts/relu_squared.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { defineElementwise, runElementwise } from './shared/elementwise.js';
import type { ElementType } from './wgsl/elements.js';

/** Not max(x, 0), which need not keep NaN. */
const relu = (type: ElementType) => `select(x, ${type}(), x < ${type}())`;

const reluSquaredProgram = defineElementwise('reluSquared', (_: object, type) => ({
  reads: ['x'],
  writes: { y: `${relu(type)} * ${relu(type)}` },
}));

const reluSquaredGradProgram = defineElementwise('reluSquaredGrad', (_: object, type) => ({
  reads: ['dy', 'x'],
  writes: { dx: `2.0 * ${relu(type)} * dy` },
}));

export const reluSquared = webgpuKernel(ReluSquared, (gpu, { x }) => {
  const y = gpu.output(x.shape);
  runElementwise(gpu, reluSquaredProgram, {}, { x, y });
  return { y };
});

export const reluSquaredGrad = webgpuKernel(ReluSquaredGrad, (gpu, { dy, x }) => {
  const dx = gpu.output(x.shape);
  runElementwise(gpu, reluSquaredGradProgram, {}, { dy, x, dx });
  return { dx };
});
