import { type KernelConfig, registerKernel } from '@tensorflow/tfjs-core';
import { crossEntropyConfig, crossEntropyGradConfig } from './cross_entropy.js';
import { fusedAddRmsNormConfig, fusedAddRmsNormGradConfig } from './fused_add_rms_norm.js';
import { gegluConfig, gegluGradConfig } from './geglu.js';
import { layerNormConfig, layerNormGradConfig } from './layer_norm.js';
import { rmsNormConfig, rmsNormGradConfig } from './rms_norm.js';
import { ropeConfig } from './rope.js';
import { softmaxConfig, softmaxGradConfig } from './softmax.js';
import { swigluConfig, swigluGradConfig } from './swiglu.js';

const kernelConfigs: KernelConfig[] = [
  crossEntropyConfig,
  crossEntropyGradConfig,
  fusedAddRmsNormConfig,
  fusedAddRmsNormGradConfig,
  gegluConfig,
  gegluGradConfig,
  layerNormConfig,
  layerNormGradConfig,
  rmsNormConfig,
  rmsNormGradConfig,
  ropeConfig,
  softmaxConfig,
  softmaxGradConfig,
  swigluConfig,
  swigluGradConfig,
];

/** Registers the WGSL kernels. tfjs's WebGPU backend need not be loaded: registration is by its name. */
export function registerWebGPUKernels(): void {
  for (const config of kernelConfigs) registerKernel(config);
}
