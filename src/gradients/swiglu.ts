import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { Swiglu, SwigluGrad } from '../kernels/contracts/swiglu.js';

export const swigluGradient = gradientOf(Swiglu, {
  save: ['gate', 'up'],
  backward: ({ y: dy }, { gate, up }, attrs) => {
    const { dgate, dup } = runKernel(SwigluGrad, { dy, gate, up }, attrs);
    return { gate: () => dgate, up: () => dup };
  },
});
