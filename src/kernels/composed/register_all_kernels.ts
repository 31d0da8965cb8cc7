import type { KernelFunc } from '@tensorflow/tfjs-core';
import { FusedAddRmsNorm, FusedAddRmsNormGrad, RmsNorm, RmsNormGrad } from '../kernel_names.js';
import { registerComposedKernel } from '../run_kernel.js';
import { fusedAddRmsNorm, fusedAddRmsNormGrad } from './fused_add_rms_norm.js';
import { rmsNorm, rmsNormGrad } from './rms_norm.js';

const kernels: Record<string, KernelFunc> = {
  [FusedAddRmsNorm]: fusedAddRmsNorm,
  [FusedAddRmsNormGrad]: fusedAddRmsNormGrad,
  [RmsNorm]: rmsNorm,
  [RmsNormGrad]: rmsNormGrad,
};

/** Declares the composed kernel of every kernel name. */
export function registerComposedKernels(): void {
  for (const [name, kernel] of Object.entries(kernels)) registerComposedKernel(name, kernel);
}
