import { type GradConfig, registerGradient } from '@tensorflow/tfjs-core';
import { rmsNormGradConfig } from './rms_norm.js';

const gradConfigs: GradConfig[] = [rmsNormGradConfig];

export function registerAllGradients(): void {
  for (const config of gradConfigs) registerGradient(config);
}
