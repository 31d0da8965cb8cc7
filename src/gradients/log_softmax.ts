import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { LogSoftmax, LogSoftmaxGrad } from '../kernels/contracts/log_softmax.js';

export const logSoftmaxGradient = gradientOf(LogSoftmax, {
  save: ['y'],
  backward: ({ y: dy }, { y }, _, __, inPlace) => ({
    x: () => runKernel(LogSoftmaxGrad, { dy, y }, { inPlace }).dx,
  }),
});
