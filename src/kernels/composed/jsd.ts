import { add, exp, greater, log, mul, neg, sub, type Tensor } from '@tensorflow/tfjs-core';
import { Jsd, JsdGrad } from '../contracts/jsd.js';
import { composedKernel } from './shared/composed_kernel.js';
import { divergenceGradient, divergenceLoss } from './shared/divergence.js';
import { only } from './shared/rows.js';

/** p · (a − b), and 0 where p is 0: a logarithm may be −∞ there. */
const surprise = (p: Tensor, a: Tensor, b: Tensor) => only(greater(p, 0), mul(p, sub(a, b)));

const logOfMixture = (p: Tensor, q: Tensor, beta: number) => log(add(mul(p, beta), mul(q, 1 - beta)));

export const jsd = composedKernel(Jsd, (inputs, attrs) => {
  const { input: logQ, target: logP } = inputs;
  const { beta } = attrs;
  const [p, q] = [exp(logP), exp(logQ)];
  const elements = () => {
    if (beta === 0) return surprise(p, logP, logQ);
    if (beta === 1) return surprise(q, logQ, logP);
    const logM = logOfMixture(p, q, beta);
    return add(mul(surprise(p, logP, logM), beta), mul(surprise(q, logQ, logM), 1 - beta));
  };
  return divergenceLoss(inputs, attrs, elements());
});

export const jsdGrad = composedKernel(JsdGrad, (inputs, attrs) => {
  const { input: logQ, target: logP } = inputs;
  const { beta } = attrs;
  const [p, q] = [exp(logP), exp(logQ)];
  const slopes = () => {
    if (beta === 0) return neg(p);
    if (beta === 1) return add(surprise(q, logQ, logP), q);
    return mul(surprise(q, logQ, logOfMixture(p, q, beta)), 1 - beta);
  };
  return divergenceGradient(inputs, attrs, slopes());
});
