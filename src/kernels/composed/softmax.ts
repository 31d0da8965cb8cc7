import { softmax as coreSoftmax, mul, sub, sum } from '@tensorflow/tfjs-core';
import { Softmax, SoftmaxGrad } from '../contracts/softmax.js';
import { composedKernel } from './shared/composed_kernel.js';

export const softmax = composedKernel(Softmax, ({ x }) => ({ y: coreSoftmax(x) }));

export const softmaxGrad = composedKernel(SoftmaxGrad, ({ dy, y }) => ({
  dx: mul(y, sub(dy, sum(mul(dy, y), -1, true))),
}));
