import { add, mul, neg, reshape, sigmoid, sum, tanh } from '@tensorflow/tfjs-core';
import { Dyt, DytGrad } from '../contracts/dyt.js';
import { composedKernel } from './shared/composed_kernel.js';
import { sumOverRows } from './shared/rows.js';

export const dyt = composedKernel(Dyt, ({ x, alpha, gamma, beta }) => {
  const y = mul(gamma, tanh(mul(alpha, x)));
  return { y: beta ? add(y, beta) : y };
});

export const dytGrad = composedKernel(DytGrad, ({ dy, x, alpha, gamma }) => {
  const z = mul(alpha, x);
  // 1 − tanh², without its cancellation where tanh is near ±1.
  const slope = mul(mul(sigmoid(mul(z, 2)), sigmoid(neg(mul(z, 2)))), 4);
  const dz = mul(mul(dy, gamma), slope);
  return {
    dx: mul(dz, alpha),
    dalpha: reshape(sum(sumOverRows(mul(dz, x))), [1]),
    dgamma: sumOverRows(mul(dy, tanh(z))),
    dbeta: sumOverRows(dy),
  };
});
