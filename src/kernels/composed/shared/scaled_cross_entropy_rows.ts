import { add, div, exp, fill, log, max, mul, notEqual, reshape, sub, type Tensor, where } from '@tensorflow/tfjs-core';
import type { ScaledCrossEntropyGradAttrs, ScaledCrossEntropySlopes } from '../../contracts/scaled_cross_entropy.js';
import type { Tensors } from '../../contracts/shared/contract.js';
import { classify } from './cross_entropy_rows.js';
import { columnsOf, only, sumOfRow } from './rows.js';

const column = (values: Tensor) => reshape(values, [values.size, 1]);

/** Each row's results, [rows], for logits [rows, V]. */
export function scaledCrossEntropyRows(
  logits: Tensor,
  labels: Tensor,
  { temperature, ignoreIndex }: ScaledCrossEntropyGradAttrs,
) {
  const z = div(logits, temperature);
  const { counts, invalid, pick } = classify(labels, columnsOf(z), ignoreIndex);
  const top = max(z, 1, true);
  const distance = sub(z, top);
  const exponentials = exp(distance);
  const total = sumOfRow(exponentials);
  const logTotal = log(total);
  const lse = add(top, logTotal);
  const perRow = (values: Tensor) => {
    const flat = reshape(values, counts.shape);
    return only(counts, where(invalid, fill(flat.shape, Number.NaN), flat));
  };
  return {
    // Both are often alike, and their difference is exact then.
    nll: perRow(add(sub(reshape(top, counts.shape), pick(z)), reshape(logTotal, counts.shape))),
    lse: perRow(lse),
    entropy: () => {
      // Where a probability is 0 its logarithm may be −∞.
      const spread = only(notEqual(exponentials, 0), mul(exponentials, distance));
      return perRow(sub(logTotal, div(sumOfRow(spread), total)));
    },
  };
}

/** The gradient of logits [rows, V]. */
export function scaledCrossEntropyRowsGrad(
  logits: Tensor,
  labels: Tensor,
  { lse, dnll, entropy, dentropy }: Tensors<ScaledCrossEntropySlopes, Tensor>,
  { temperature, ignoreIndex }: ScaledCrossEntropyGradAttrs,
): Tensor {
  const z = div(logits, temperature);
  const { counts, target } = classify(labels, columnsOf(z), ignoreIndex);
  const logP = sub(z, column(lse));
  const p = exp(logP);
  const isLabel = target();
  const others = mul(p, sub(1, isLabel));
  // p − 1 of the label, without its cancellation where p is near 1.
  let d = mul(column(dnll), sub(others, mul(isLabel, sumOfRow(others))));
  if (entropy && dentropy) {
    const surprise = only(notEqual(p, 0), mul(p, add(logP, column(entropy))));
    d = sub(d, mul(column(dentropy), surprise));
  }
  return only(column(counts), div(d, temperature));
}
