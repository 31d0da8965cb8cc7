import { type GradConfig, registerGradient } from '@tensorflow/tfjs-core';
import { crossEntropyGradConfig } from './cross_entropy.js';
import { embeddingGradConfig } from './embedding.js';
import { fusedAddRmsNormGradConfig } from './fused_add_rms_norm.js';
import { gegluGradConfig } from './geglu.js';
import { layerNormGradConfig } from './layer_norm.js';
import { linearGradConfig } from './linear.js';
import { rmsNormGradConfig } from './rms_norm.js';
import { ropeGradConfig } from './rope.js';
import { softmaxGradConfig } from './softmax.js';
import { swigluGradConfig } from './swiglu.js';

const gradConfigs: GradConfig[] = [
  crossEntropyGradConfig,
  linearGradConfig,
  embeddingGradConfig,
  fusedAddRmsNormGradConfig,
  gegluGradConfig,
  layerNormGradConfig,
  rmsNormGradConfig,
  ropeGradConfig,
  softmaxGradConfig,
  swigluGradConfig,
];

export function registerAllGradients(): void {
  for (const config of gradConfigs) registerGradient(config);
}
