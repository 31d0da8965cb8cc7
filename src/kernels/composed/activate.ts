import { Activate } from '../contracts/activate.js';
import { activate as apply } from './shared/activations.js';
import { composedKernel } from './shared/composed_kernel.js';

export const activate = composedKernel(Activate, ({ x }, { activation }) => ({ y: apply(activation, x) }));
