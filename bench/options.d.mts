import type { Program } from '../scripts/lib/arguments.mjs';
import type { Backend } from '../scripts/lib/backends.mjs';

export type BenchBackend = Backend | 'webgpu-stock' | 'webgpu-null';

export interface BenchOptions {
  only?: string;
  backend: BenchBackend;
  quick?: boolean;
  stock: 'true' | 'false';
  json: string;
  seconds?: number;
  'max-memory': number;
}

export const bench: Program<BenchOptions>;
