import {
  add,
  argMax,
  cast,
  clipByValue,
  div,
  equal,
  exp,
  fill,
  gather,
  gatherND,
  log,
  logicalAnd,
  logicalNot,
  max,
  maximum,
  mul,
  notEqual,
  oneHot,
  ones,
  onesLike,
  range,
  reshape,
  scalar,
  stack,
  sub,
  sum,
  type Tensor,
  type Tensor1D,
  tanh,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import type { CrossEntropyAttrs } from '../../contracts/cross_entropy.js';
import { columnsOf, sumOfRow } from './rows.js';

/** Farther than any logit from 0. */
const FAR = 3e38;

const float = (x: Tensor) => cast(x, 'float32');
const column = (values: Tensor) => reshape(values, [values.size, 1]);

/** The sum of a vector; some backends leave that of an empty one undefined. */
const total = (values: Tensor) => (values.size === 0 ? scalar(0) : sum(values));

/** What sums are divided by, as scalars; see LigerCrossEntropy's stats. */
export interface Stats {
  loss: Tensor;
  z: Tensor;
  count: Tensor;
  weightSum: Tensor;
}

/** Labels as classes that are safe to look up, and which of them count or are out of range. */
export function classify(labels: Tensor, vocabulary: number, ignoreIndex: number) {
  const rows = labels.size;
  const label = reshape(labels, [rows]) as Tensor1D;
  const counts = notEqual(label, ignoreIndex);
  // As floats: on wasm clipByValue takes the bits of integers for floats.
  const index = cast(clipByValue(float(label), 0, vocabulary - 1), 'int32') as Tensor1D;
  /** Each row's value [rows] in [rows, V] at its class: without a mask of that size, which costs more than all the rest. */
  const pick = (values: Tensor) =>
    rows === 0 ? reshape(values, [0]) : gatherND(values, stack([range(0, rows, 1, 'int32'), index], 1));
  /** Each row's class as a row of zeros and a one. As integers: wasm's one-hot writes nothing else. tfjs has none for one class. */
  const target = () => (vocabulary > 1 ? float(oneHot(index, vocabulary)) : ones([rows, 1]));
  return { label, counts, index, pick, target, invalid: logicalAnd(counts, logicalNot(equal(index, label))) };
}

type Classes = ReturnType<typeof classify>;

/** Each row's weight: that of its label's class, 0 where the label is ignored. */
function rowWeights({ counts, index }: Classes, weight?: Tensor): Tensor {
  return weight && index.size > 0 ? mul(float(counts), gather(weight, index)) : float(counts);
}

export function crossEntropyStats(
  labels: Tensor,
  vocabulary: number,
  weight: Tensor | undefined,
  attrs: CrossEntropyAttrs,
): Stats {
  const { ignoreIndex, reduction, numItemsInBatch } = attrs;
  const classes = classify(labels, vocabulary, ignoreIndex);
  const count = total(float(classes.counts));
  const divisor = (sum: Tensor) => {
    if (numItemsInBatch > 0) return scalar(numItemsInBatch);
    // Where no label counts every sum is 0, and stays so.
    return reduction === 'mean' ? where(equal(sum, 0), onesLike(sum), sum) : scalar(1);
  };
  return {
    loss: divisor(total(rowWeights(classes, weight))),
    z: divisor(count),
    count: maximum(count, 1),
    weightSum: weight ? sum(weight) : scalar(vocabulary),
  };
}

const cap = (logits: Tensor, softcap: number) => (softcap > 0 ? mul(tanh(div(logits, softcap)), softcap) : logits);

/** Each row's results for logits [rows, V], divided already. */
export function crossEntropyRows(
  logits: Tensor,
  labels: Tensor,
  weight: Tensor | undefined,
  stats: Stats,
  attrs: CrossEntropyAttrs,
) {
  const { labelSmoothing, lseSquareScale, softcap, ignoreIndex } = attrs;
  const vocabulary = columnsOf(logits);
  const x = cap(logits, softcap);
  const classes = classify(labels, vocabulary, ignoreIndex);
  const { counts, invalid, pick, label } = classes;
  const counted = (values: Tensor) =>
    where(counts, where(invalid, fill(values.shape, Number.NaN), values), zerosLike(values));

  const m = max(x, 1, true);
  const lse = counted(reshape(add(m, log(sumOfRow(exp(sub(x, m))))), [x.shape[0]!]));
  let nll = mul(rowWeights(classes, weight), sub(lse, pick(x)));
  if (labelSmoothing > 0) {
    const spread = sub(mul(lse, stats.weightSum), sum(weight ? mul(x, weight) : x, 1));
    nll = add(mul(nll, 1 - labelSmoothing), mul(spread, labelSmoothing / vocabulary));
  }
  const z = div(mul(mul(lse, lse), lseSquareScale), stats.z);
  const predicted = () => where(counts, cast(argMax(x, 1), 'int32'), fill(counts.shape, -1, 'int32'));
  return {
    lse,
    z,
    loss: counted(add(div(nll, stats.loss), z)),
    /** The probability of each label. */
    probability: () => counted(exp(sub(pick(x), lse))),
    predicted,
    correct: () => float(logicalAnd(counts, equal(predicted(), label))),
  };
}

/** The gradient of logits [rows, V] with lse [rows], where the gradient of a row's loss is `dy` (a scalar, or one for each row). */
export function crossEntropyRowsGrad(
  logits: Tensor,
  labels: Tensor,
  weight: Tensor | undefined,
  lse: Tensor,
  stats: Stats,
  dy: Tensor,
  attrs: CrossEntropyAttrs,
): Tensor {
  const { labelSmoothing, lseSquareScale, softcap, ignoreIndex } = attrs;
  const vocabulary = columnsOf(logits);
  const x = cap(logits, softcap);
  const classes = classify(labels, vocabulary, ignoreIndex);
  const { counts, target } = classes;
  // Rows that don't count: p = exp(x − FAR) is 0, whatever their logits.
  const p = exp(sub(x, column(where(counts, lse, fill(lse.shape, FAR)))));
  const rowDy = mul(float(counts), dy.rank === 0 ? dy : reshape(dy, lse.shape));
  // All that is the same throughout a row is multiplied first: passes over [rows, V] are what takes the time.
  const byRow = (factor: Tensor, divisor: Tensor) => column(div(mul(factor, rowDy), divisor));
  let d = mul(sub(p, target()), byRow(mul(rowWeights(classes, weight), 1 - labelSmoothing), stats.loss));
  if (labelSmoothing > 0) {
    const spread = sub(mul(p, stats.weightSum), weight ?? 1);
    d = add(d, mul(spread, byRow(scalar(labelSmoothing / vocabulary), stats.loss)));
  }
  if (lseSquareScale > 0) d = add(d, mul(p, byRow(mul(lse, 2 * lseSquareScale), stats.z)));
  if (softcap > 0) {
    const t = div(x, softcap);
    d = mul(d, sub(1, mul(t, t)));
  }
  return d;
}

/** What is returned of the rows' results: the loss, and what was asked for beside it. */
export interface CrossEntropyTotals {
  loss: Tensor;
  zLoss?: Tensor;
  tokenAccuracy?: Tensor;
  predictedTokens?: Tensor;
}

export function crossEntropyTotals(
  rows: { loss: Tensor; z: Tensor; correct: () => Tensor; predicted: () => Tensor },
  shape: number[],
  stats: Stats,
  attrs: CrossEntropyAttrs,
): CrossEntropyTotals {
  const { reduction, returnZLoss, returnTokenAccuracy, returnPredictedTokens } = attrs;
  const perRow = reduction === 'none';
  const reduce = (values: Tensor) => (perRow ? reshape(values, shape) : total(values));
  const share = (count: Tensor) => (perRow ? count : div(count, stats.count));
  return {
    loss: reduce(rows.loss),
    zLoss: returnZLoss ? reduce(rows.z) : undefined,
    tokenAccuracy: returnTokenAccuracy ? share(reduce(rows.correct())) : undefined,
    predictedTokens: returnPredictedTokens ? reshape(rows.predicted(), shape) : undefined,
  };
}
