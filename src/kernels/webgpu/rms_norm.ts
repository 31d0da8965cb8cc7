import { RmsNorm, RmsNormGrad } from '../contracts/rms_norm.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { differentiateNormalizedRows, normalizeRows } from './shared/rms_norm_rows.js';

export const rmsNorm = webgpuKernel(RmsNorm, normalizeRows);

export const rmsNormGrad = webgpuKernel(RmsNormGrad, differentiateNormalizedRows);
