/** Functions of tensors that losses are written in. */
import {
  abs,
  add,
  cast,
  clone,
  customGrad,
  div,
  exp,
  log,
  maximum,
  minimum,
  mul,
  neg,
  notEqual,
  scalar,
  sigmoid,
  sub,
  sum,
  type Tensor,
  type Tensor2D,
  where,
} from '@tensorflow/tfjs-core';
import { runDiscarding } from '../../engine/discarding_tape.js';

/** Its values, as a constant: no gradient flows through it. */
export const stopGradient = (x: Tensor): Tensor => runDiscarding(() => clone(x)).value;

/** log(1 + y) of y in [0, 1], which keeps the digits of a small y. */
function log1p(y: Tensor): Tensor {
  // The rounding error of 1 + y is in both logarithm and difference, and cancels.
  const total = add(y, 1);
  const kept = sub(total, 1);
  const isLost = notEqual(kept, 0);
  return where(isLost, mul(y, div(log(total), where(isLost, kept, total))), y);
}

/** log σ(x), of any x. */
export const logSigmoid: (x: Tensor) => Tensor = customGrad((...inputs) => {
  const [x, save] = inputs as [Tensor, (tensors: Tensor[]) => void];
  save([x]);
  return {
    value: sub(minimum(x, 0), log1p(exp(neg(abs(x))))),
    gradFunc: (dy, [saved]) => mul(dy, sigmoid(neg(saved!))),
  };
});

/** (1 − ε) · log σ(x) + ε · log σ(−x) */
export const smoothedLogSigmoid = (x: Tensor, epsilon: number): Tensor =>
  epsilon === 0 ? logSigmoid(x) : add(mul(logSigmoid(x), 1 - epsilon), mul(logSigmoid(neg(x)), epsilon));

/** log(1 − eˣ) of an x below 0. */
export const log1mExp = (x: Tensor): Tensor => log(sub(1, exp(x)));

/** The mean over pairs or sequences, [B] → []. */
export const mean = (values: Tensor): Tensor => div(sum(values), Math.max(1, values.size));

/** 1 where a label counts, and 0 where it is ignored. */
export const countsOf = (labels: Tensor, ignoreIndex: number): Tensor => cast(notEqual(labels, ignoreIndex), 'float32');

/** How many of `tokens` tokens count, a scalar of at least 1. All do without `isCounted`. */
export const numberOfCounted = (isCounted: Tensor | undefined, tokens: number): Tensor =>
  isCounted ? maximum(sum(cast(isCounted, 'float32')), 1) : scalar(tokens);

/** The sum of what tokens have, [n], over those that count; over all without `isCounted`. */
export const sumOfCounted = (values: Tensor, isCounted: Tensor | undefined): Tensor =>
  sum(isCounted ? where(isCounted, values, scalar(0)) : values);

export const overTemperature = (logits: Tensor2D, temperature: number): Tensor2D =>
  temperature === 1 ? logits : div(logits, temperature);

/** a / b, and 0 where b, a number of tokens, is 0. */
export const perToken = (a: Tensor, b: Tensor): Tensor => div(a, maximum(b, 1));
