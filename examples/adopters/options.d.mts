import type { Program } from '../../scripts/lib/arguments.mjs';

export interface AdoptersOptions {
  model: 'minGpt' | 'nanogpt';
  backend: 'cpu' | 'tensorflow' | 'webgpu';
  steps: number;
  preset: 'tiny' | 'small';
}

export const adopters: Program<AdoptersOptions>;
