import { type KernelConfig, registerKernel } from '@tensorflow/tfjs-core';
import { fusedAddRmsNormConfig, fusedAddRmsNormGradConfig } from './fused_add_rms_norm.js';
import { rmsNormConfig, rmsNormGradConfig } from './rms_norm.js';

const kernelConfigs: KernelConfig[] = [
  fusedAddRmsNormConfig,
  fusedAddRmsNormGradConfig,
  rmsNormConfig,
  rmsNormGradConfig,
];

/** Registers the WGSL kernels. tfjs's WebGPU backend need not be loaded: registration is by its name. */
export function registerWebGPUKernels(): void {
  for (const config of kernelConfigs) registerKernel(config);
}
