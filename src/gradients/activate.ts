import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { Activate } from '../kernels/contracts/activate.js';
import { ActivationGrad } from '../kernels/contracts/linear.js';

export const activateGradient = gradientOf(Activate, {
  save: ['x'],
  backward: ({ y: dy }, { x }, { activation }) => ({
    x: () => runKernel(ActivationGrad, { dy, z: x }, { activation }).dz,
  }),
});
