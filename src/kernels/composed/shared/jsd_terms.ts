import { add, exp, greater, log, mul, neg, sub, type Tensor } from '@tensorflow/tfjs-core';
import { only } from './rows.js';

/** The elements of two distributions' log-probabilities. */
export interface LogProbabilities {
  readonly logP: Tensor;
  readonly logQ: Tensor;
}

/** p · (a − b), and 0 where p is 0: a logarithm may be −∞ there. */
export const surprise = (p: Tensor, a: Tensor, b: Tensor) => only(greater(p, 0), mul(p, sub(a, b)));

const logOfMixture = (p: Tensor, q: Tensor, beta: number) => log(add(mul(p, beta), mul(q, 1 - beta)));

/** beta · p · (log p − log m) + (1 − beta) · q · (log q − log m), with m = beta · p + (1 − beta) · q. */
export function jsdElements({ logP, logQ }: LogProbabilities, beta: number): Tensor {
  const [p, q] = [exp(logP), exp(logQ)];
  if (beta === 0) return surprise(p, logP, logQ);
  if (beta === 1) return surprise(q, logQ, logP);
  const logM = logOfMixture(p, q, beta);
  return add(mul(surprise(p, logP, logM), beta), mul(surprise(q, logQ, logM), 1 - beta));
}

/** Their derivatives by log q. */
export function jsdSlopes({ logP, logQ }: LogProbabilities, beta: number): Tensor {
  const [p, q] = [exp(logP), exp(logQ)];
  if (beta === 0) return neg(p);
  if (beta === 1) return add(surprise(q, logQ, logP), q);
  return mul(surprise(q, logQ, logOfMixture(p, q, beta)), 1 - beta);
}
