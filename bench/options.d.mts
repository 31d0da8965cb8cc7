import type { Program } from '../scripts/lib/arguments.mjs';
import type { Backend } from '../scripts/lib/backends.mjs';

export interface BenchOptions {
  only?: string;
  backend: Backend;
  quick?: boolean;
  stock: 'true' | 'false';
  json: string;
  seconds?: number;
  'max-memory': number;
}

export const bench: Program<BenchOptions>;
