import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { Softmax, SoftmaxGrad } from '../kernels/contracts/softmax.js';

export const softmaxGradient = gradientOf(Softmax, {
  save: ['y'],
  backward: ({ y: dy }, { y }) => ({ x: () => runKernel(SoftmaxGrad, { dy, y }, {}).dx }),
});
