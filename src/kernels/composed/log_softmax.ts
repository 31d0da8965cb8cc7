import { logSoftmax as coreLogSoftmax, exp, mul, sub, sum } from '@tensorflow/tfjs-core';
import { LogSoftmax, LogSoftmaxGrad } from '../contracts/log_softmax.js';
import { composedKernel } from './shared/composed_kernel.js';

export const logSoftmax = composedKernel(LogSoftmax, ({ x }) => ({ y: coreLogSoftmax(x) }));

export const logSoftmaxGrad = composedKernel(LogSoftmaxGrad, ({ dy, y }) => ({
  dx: sub(dy, mul(exp(y), sum(dy, -1, true))),
}));
