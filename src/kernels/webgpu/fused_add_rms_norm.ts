import { FusedAddRmsNorm, FusedAddRmsNormGrad } from '../contracts/fused_add_rms_norm.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { differentiateNormalizedRows, normalizeRows } from './shared/rms_norm_rows.js';

export const fusedAddRmsNorm = webgpuKernel(FusedAddRmsNorm, (gpu, inputs, attrs) => {
  const sum = gpu.output(inputs.x.shape);
  return { ...normalizeRows(gpu, { ...inputs, sum }, attrs), sum };
});

export const fusedAddRmsNormGrad = webgpuKernel(FusedAddRmsNormGrad, (gpu, { sum, ...inputs }, attrs) =>
  differentiateNormalizedRows(gpu, { ...inputs, x: sum }, attrs),
);
