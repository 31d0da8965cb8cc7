import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { Sparsemax, SparsemaxGrad } from '../kernels/contracts/sparsemax.js';

export const sparsemaxGradient = gradientOf(Sparsemax, {
  save: ['y'],
  backward: ({ y: dy }, { y }) => ({ x: () => runKernel(SparsemaxGrad, { dy, y }, {}).dx }),
});
