import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { Geglu, GegluGrad } from '../kernels/contracts/geglu.js';

export const gegluGradient = gradientOf(Geglu, {
  save: ['gate', 'up'],
  backward: ({ y: dy }, { gate, up }) => {
    const { dgate, dup } = runKernel(GegluGrad, { dy, gate, up }, {});
    return { gate: () => dgate, up: () => dup };
  },
});
