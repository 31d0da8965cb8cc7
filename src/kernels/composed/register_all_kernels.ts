import type { KernelFunc } from '@tensorflow/tfjs-core';
import { RmsNorm, RmsNormGrad } from '../kernel_names.js';
import { registerComposedKernel } from '../run_kernel.js';
import { rmsNorm, rmsNormGrad } from './rms_norm.js';

const kernels: Record<string, KernelFunc> = {
  [RmsNorm]: rmsNorm,
  [RmsNormGrad]: rmsNormGrad,
};

/** Declares the composed kernel of every kernel name. */
export function registerComposedKernels(): void {
  for (const [name, kernel] of Object.entries(kernels)) registerComposedKernel(name, kernel);
}
