import { Activate } from '../contracts/activate.js';
import type { ActivationGradAttrs } from '../contracts/linear.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { defineElementwise, runElementwise } from './shared/elementwise.js';
import { wgslFunction } from './wgsl/activations.js';

const program = defineElementwise('activate', ({ activation }: ActivationGradAttrs, type) => ({
  reads: ['x'],
  writes: { y: `${activation}(x)` },
  declarations: wgslFunction(activation, type),
}));

export const activate = webgpuKernel(Activate, (gpu, { x }, { activation }) => {
  const y = gpu.output(x.shape);
  runElementwise(gpu, program, { activation }, { x, y });
  return { y };
});
