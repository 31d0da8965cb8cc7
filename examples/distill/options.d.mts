import type { Program } from '../../scripts/lib/arguments.mjs';
import type { Backend } from '../../scripts/lib/backends.mjs';

export interface DistillOptions {
  pretraining: number;
  steps: number;
  temperature: number;
  backend: Backend | 'auto';
  out: string;
}

export const distill: Program<DistillOptions>;
