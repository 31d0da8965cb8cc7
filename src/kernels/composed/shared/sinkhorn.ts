import { add, div, mul, softmax, sub, type Tensor } from '@tensorflow/tfjs-core';
import { sumsOf } from './tokens.js';

/** How Sinkhorn's iteration runs. */
export interface SinkhornOptions {
  readonly tmax: number;
  readonly sinkhornEpsilon: number;
}

/** A division of matrices by the sums of their rows or columns. */
interface Division {
  readonly along: 'rows' | 'columns';
  readonly divisor: Tensor;
  readonly quotient: Tensor;
}

/** softmax(logits [tokens, HC, HC]), and the divisions after it: by columns, then tmax − 1 times by rows and by columns. */
function divisions(logits: Tensor, { tmax, sinkhornEpsilon }: SinkhornOptions) {
  const weights = softmax(logits);
  const steps: Division[] = [];
  let quotient = add(weights, sinkhornEpsilon);
  for (let step = 1; step < 2 * tmax; step++) {
    const along = step % 2 === 1 ? 'columns' : 'rows';
    const divisor = add(sumsOf(along, quotient), sinkhornEpsilon);
    quotient = div(quotient, divisor);
    steps.push({ along, divisor, quotient });
  }
  return { weights, steps, quotient };
}

/** Nearly doubly stochastic matrices of logits [tokens, HC, HC]. */
export const sinkhorn = (logits: Tensor, options: SinkhornOptions): Tensor => divisions(logits, options).quotient;

/** The gradient of the logits. A quotient q = m / (Σ m + epsilon) has dm = (dq − Σ dq · q) / (Σ m + epsilon). */
export function sinkhornGrad(dy: Tensor, logits: Tensor, options: SinkhornOptions): Tensor {
  const { weights, steps } = divisions(logits, options);
  const slopes = steps.reduceRight(
    (dq, { along, divisor, quotient }) => div(sub(dq, sumsOf(along, mul(dq, quotient))), divisor),
    dy,
  );
  return mul(weights, sub(slopes, sumsOf('rows', mul(slopes, weights))));
}
