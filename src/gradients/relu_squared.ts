import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { ReluSquared, ReluSquaredGrad } from '../kernels/contracts/relu_squared.js';

export const reluSquaredGradient = gradientOf(ReluSquared, {
  save: ['x'],
  backward: ({ y: dy }, { x }) => ({ x: () => runKernel(ReluSquaredGrad, { dy, x }, {}).dx }),
});
