import {
  add,
  argMax,
  cast,
  clipByValue,
  div,
  equal,
  exp,
  expandDims,
  fill,
  type KernelFunc,
  log,
  logicalAnd,
  max,
  maximum,
  mul,
  notEqual,
  onesLike,
  range,
  reshape,
  scalar,
  stack,
  sub,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  tanh,
  tidy,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import type { CrossEntropyAttrs } from '../kernel_names.js';
import { sumOfRow } from './rows.js';

interface Inputs {
  logits: Tensor;
  labels: Tensor;
  weight?: Tensor;
}

const float = (x: Tensor) => cast(x, 'float32');

/** The sum of a vector; some backends leave that of an empty one undefined. */
const total = (values: Tensor) => (values.size === 0 ? scalar(0) : sum(values));

/** What both passes need: the inputs as rows, and each row's part in the sums. */
function prepare({ logits, labels, weight }: Inputs, attrs: CrossEntropyAttrs) {
  const { softcap, ignoreIndex, reduction, numItemsInBatch } = attrs;
  const vocabulary = logits.shape[logits.rank - 1]!;
  const raw = reshape(logits, [labels.size, vocabulary]) as Tensor2D;
  const x = softcap > 0 ? mul(tanh(div(raw, softcap)), softcap) : raw;
  const label = reshape(labels, [labels.size]) as Tensor1D;
  const counts = notEqual(label, ignoreIndex);
  // Safe to look up with; labels that are out of range give NaN in the end.
  const index = cast(clipByValue(label, 0, vocabulary - 1), 'int32') as Tensor1D;
  const inRange = equal(index, label);
  const target = equal(expandDims(index, 1), expandDims(range(0, vocabulary, 1, 'int32'), 0));
  const pick = (values: Tensor) => sum(where(target, values, 0), 1);
  const labelWeight = mul(float(counts), weight ? pick(mul(onesLike(x), weight)) : 1);
  const count = total(float(counts));
  const orOne = (divisor: Tensor) => where(equal(divisor, 0), 1, divisor);
  const divisor = (total: Tensor) => {
    if (numItemsInBatch > 0) return scalar(numItemsInBatch);
    return reduction === 'mean' ? orOne(total) : scalar(1);
  };
  return {
    vocabulary,
    x,
    label,
    counts,
    invalid: logicalAnd(counts, equal(float(inRange), 0)),
    target,
    pick,
    labelWeight,
    count: maximum(count, 1),
    lossDivisor: divisor(total(labelWeight)),
    zDivisor: divisor(count),
    weightSum: weight ? sum(weight) : scalar(vocabulary),
  };
}

/** log Σ e^x of each row, without overflow. */
function logSumExp(x: Tensor): Tensor {
  const m = max(x, 1, true);
  return reshape(add(m, log(sumOfRow(exp(sub(x, m))))), [x.shape[0]!]);
}

export const crossEntropy: KernelFunc = ({ inputs, attrs }) =>
  tidy(() => {
    const { labels, weight } = inputs as unknown as Inputs;
    const attributes = attrs as unknown as CrossEntropyAttrs;
    const { labelSmoothing, lseSquareScale, reduction } = attributes;
    const { returnZLoss, returnTokenAccuracy, returnPredictedTokens } = attributes;
    const rows = prepare(inputs as unknown as Inputs, attributes);
    const { x, counts, invalid, vocabulary } = rows;
    const counted = (values: Tensor) =>
      where(counts, where(invalid, fill(values.shape, Number.NaN), values), zerosLike(values));

    const lse = counted(logSumExp(x));
    let nll = mul(rows.labelWeight, sub(lse, rows.pick(x)));
    if (labelSmoothing > 0) {
      const spread = sub(mul(lse, rows.weightSum), sum(weight ? mul(x, weight) : x, 1));
      nll = add(mul(nll, 1 - labelSmoothing), mul(spread, labelSmoothing / vocabulary));
    }
    const z = div(mul(mul(lse, lse), lseSquareScale), rows.zDivisor);
    const loss = counted(add(div(nll, rows.lossDivisor), z));
    const reduce = (values: Tensor) => (reduction === 'none' ? reshape(values, labels.shape) : total(values));

    const stats = stack([rows.lossDivisor, rows.zDivisor, rows.count, rows.weightSum]);
    const results = [reduce(loss), reshape(lse, labels.shape), stats];
    if (returnZLoss) results.push(reduce(z));
    if (returnTokenAccuracy || returnPredictedTokens) {
      const predicted = where(counts, cast(argMax(x, 1), 'int32'), fill(counts.shape, -1, 'int32'));
      const correct = float(logicalAnd(counts, equal(predicted, rows.label)));
      if (returnTokenAccuracy) {
        results.push(reduction === 'none' ? reshape(correct, labels.shape) : div(total(correct), rows.count));
      }
      if (returnPredictedTokens) results.push(reshape(predicted, labels.shape));
    }
    return results;
  });

export const crossEntropyGrad: KernelFunc = ({ inputs, attrs }) =>
  tidy(() => {
    const { logits, dy, lse, weight } = inputs as unknown as Inputs & { dy: Tensor; lse: Tensor };
    const attributes = attrs as unknown as CrossEntropyAttrs;
    const { labelSmoothing, lseSquareScale, softcap } = attributes;
    const rows = prepare(inputs as unknown as Inputs, attributes);
    const { x, target, vocabulary } = rows;
    const column = (values: Tensor) => reshape(values, [values.size, 1]);
    const rowLse = column(lse);
    const p = exp(sub(x, rowLse));
    const w = column(rows.labelWeight);

    let d = mul(mul(w, 1 - labelSmoothing), sub(p, float(target)));
    if (labelSmoothing > 0) {
      d = add(d, mul(sub(mul(p, rows.weightSum), weight ?? 1), labelSmoothing / vocabulary));
    }
    d = add(div(d, rows.lossDivisor), div(mul(mul(p, rowLse), 2 * lseSquareScale), rows.zDivisor));
    if (softcap > 0) d = mul(d, sub(1, mul(div(x, softcap), div(x, softcap))));
    d = mul(d, dy.rank === 0 ? dy : column(dy));
    return reshape(where(cast(column(rows.counts), 'bool'), d, 0), logits.shape);
  });
