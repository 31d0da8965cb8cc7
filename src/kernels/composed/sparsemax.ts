import { cast, div, greater, max, maximum, mul, relu, sub, sum } from '@tensorflow/tfjs-core';
import { Sparsemax, SparsemaxGrad } from '../contracts/sparsemax.js';
import { composedKernel } from './shared/composed_kernel.js';
import { sparsemaxThreshold } from './shared/sparsemax.js';

export const sparsemax = composedKernel(Sparsemax, ({ x }) => {
  // Further below there is no weight, and −∞ would make NaN on some backends.
  const distance = maximum(sub(x, max(x, -1, true)), -2);
  return { y: relu(sub(distance, sparsemaxThreshold(distance))) };
});

export const sparsemaxGrad = composedKernel(SparsemaxGrad, ({ dy, y }) => {
  const support = cast(greater(y, 0), 'float32');
  const mean = div(sum(mul(support, dy), -1, true), sum(support, -1, true));
  return { dx: mul(support, sub(dy, mean)) };
});
