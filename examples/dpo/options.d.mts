import type { Program } from '../../scripts/lib/arguments.mjs';
import type { Backend } from '../../scripts/lib/backends.mjs';

export interface DpoOptions {
  pretraining: number;
  steps: number;
  pairs: number;
  'held-out': number;
  beta: number;
  backend: Backend | 'auto';
  out: string;
}

export const dpo: Program<DpoOptions>;
