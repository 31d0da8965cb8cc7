import { Rope } from '../contracts/rope.js';
import { composedKernel } from './shared/composed_kernel.js';
import { rotateHalves } from './shared/rotation.js';

export const rope = composedKernel(Rope, ({ q, k, cos, sin }, rotation) => ({
  rotatedQ: rotateHalves(q, cos, sin, rotation),
  rotatedK: rotateHalves(k, cos, sin, rotation),
}));
