import type { Program } from '../../scripts/lib/arguments.mjs';
import type { Backend } from '../../scripts/lib/backends.mjs';
import type { Size } from './presets.js';

export interface DemoOptions {
  steps?: number;
  backend: Backend | 'auto';
  size?: Size;
  text?: string;
  seed: number;
  out: string;
  'no-compare'?: boolean;
}

export const demo: Program<DemoOptions>;
