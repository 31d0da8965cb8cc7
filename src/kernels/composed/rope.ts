import { Rope } from '../contracts/rope.js';
import { composedKernel } from './shared/composed_kernel.js';
import { rotateHalves } from './shared/rotate_halves.js';

export const rope = composedKernel(Rope, ({ q, k, cos, sin }, { transposed }) => ({
  rotatedQ: rotateHalves(q, cos, sin, transposed),
  rotatedK: rotateHalves(k, cos, sin, transposed),
}));
