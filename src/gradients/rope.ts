import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { Rope } from '../kernels/contracts/rope.js';

export const ropeGradient = gradientOf(Rope, {
  save: ['cos', 'sin'],
  backward: ({ rotatedQ, rotatedK }, { cos, sin }, { layout, transposed }) => {
    const inputs = { q: rotatedQ, k: rotatedK, cos, sin };
    const { rotatedQ: dq, rotatedK: dk } = runKernel(Rope, inputs, { layout, transposed: !transposed });
    return { q: () => dq, k: () => dk };
  },
});
