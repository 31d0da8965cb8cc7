import { type KernelConfig, registerKernel } from '@tensorflow/tfjs-core';
import { adamWConfig, adamWStepConfig } from './adamw.js';
import { crossEntropyConfig, crossEntropyGradConfig } from './cross_entropy.js';
import { embeddingConfig, embeddingGradConfig } from './embedding.js';
import { fusedAddRmsNormConfig, fusedAddRmsNormGradConfig } from './fused_add_rms_norm.js';
import { fusedLinearCrossEntropyConfig } from './fused_linear_cross_entropy.js';
import { gegluConfig, gegluGradConfig } from './geglu.js';
import { layerNormConfig, layerNormGradConfig } from './layer_norm.js';
import {
  activationGradConfig,
  biasGradConfig,
  linearConfig,
  linearGradWeightConfig,
  linearGradXConfig,
} from './linear.js';
import { rmsNormConfig, rmsNormGradConfig } from './rms_norm.js';
import { ropeConfig } from './rope.js';
import { Gpu } from './runtime/gpu.js';
import { softmaxConfig, softmaxGradConfig } from './softmax.js';
import { squaredNormsConfig } from './squared_norms.js';
import { swigluConfig, swigluGradConfig } from './swiglu.js';

const kernelConfigs: KernelConfig[] = [
  adamWConfig,
  adamWStepConfig,
  crossEntropyConfig,
  crossEntropyGradConfig,
  fusedLinearCrossEntropyConfig,
  linearConfig,
  linearGradXConfig,
  linearGradWeightConfig,
  biasGradConfig,
  activationGradConfig,
  embeddingConfig,
  embeddingGradConfig,
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
  squaredNormsConfig,
  swigluConfig,
  swigluGradConfig,
];

/** Registers the WGSL kernels. tfjs's WebGPU backend need not be loaded: registration is by its name. */
export function registerWebGPUKernels(): void {
  for (const { kernelFunc, ...config } of kernelConfigs) {
    registerKernel({ ...config, kernelFunc: (call) => Gpu.of(call.backend).kernel(() => kernelFunc(call)) });
  }
}
