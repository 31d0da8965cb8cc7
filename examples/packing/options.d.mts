import type { Program } from '../../scripts/lib/arguments.mjs';
import type { Backend } from '../../scripts/lib/backends.mjs';

export interface PackingOptions {
  steps: number;
  sentences: number;
  backend: Backend | 'auto';
}

export const packing: Program<PackingOptions>;
