import { type GradConfig, registerGradient } from '@tensorflow/tfjs-core';
import { fusedAddRmsNormGradConfig } from './fused_add_rms_norm.js';
import { rmsNormGradConfig } from './rms_norm.js';

const gradConfigs: GradConfig[] = [fusedAddRmsNormGradConfig, rmsNormGradConfig];

export function registerAllGradients(): void {
  for (const config of gradConfigs) registerGradient(config);
}
