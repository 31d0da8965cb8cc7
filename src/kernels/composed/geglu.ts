import { mul } from '@tensorflow/tfjs-core';
import { Geglu, GegluGrad } from '../contracts/geglu.js';
import { activate, slope } from './shared/activations.js';
import { composedKernel } from './shared/composed_kernel.js';

export const geglu = composedKernel(Geglu, ({ gate, up }) => ({ y: mul(activate('geluTanh', gate), up) }));

export const gegluGrad = composedKernel(GegluGrad, ({ dy, gate, up }) => ({
  dgate: slope('geluTanh', mul(dy, up), gate),
  dup: mul(dy, activate('geluTanh', gate)),
}));
