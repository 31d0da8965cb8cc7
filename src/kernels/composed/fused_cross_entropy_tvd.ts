import {
  abs,
  add,
  cast,
  clipByValue,
  concat,
  equal,
  exp,
  expandDims,
  logSumExp,
  mul,
  notEqual,
  oneHot,
  onesLike,
  reshape,
  scalar,
  sign,
  split,
  sub,
  sum,
  type Tensor,
  where,
  zeros,
} from '@tensorflow/tfjs-core';
import { FusedCrossEntropyTvd, FusedCrossEntropyTvdGrad } from '../contracts/fused_cross_entropy_tvd.js';
import { composedKernel } from './shared/composed_kernel.js';
import { only } from './shared/divergence.js';
import { columnsOf, flatten } from './shared/rows.js';

/** Each row's class as a row of 0 and a 1, and whether the row counts and its label is a class; as columns. */
function classify(labels: Tensor, vocabulary: number, ignoreIndex: number) {
  const label = reshape(labels, [labels.size]);
  const index = cast(clipByValue(label, 0, vocabulary - 1), 'int32');
  // As integers: wasm's one-hot writes nothing else. tfjs has none for a single class.
  const target = vocabulary > 1 ? cast(oneHot(index, vocabulary), 'float32') : onesLike(expandDims(label, 1));
  const columnOf = (values: Tensor) => expandDims(values, 1);
  return { target, counts: columnOf(notEqual(label, ignoreIndex)), isClass: columnOf(equal(index, label)) };
}

export const fusedCrossEntropyTvd = composedKernel(FusedCrossEntropyTvd, (inputs, { ignoreIndex }) => {
  const { studentLogits, teacherLogits, labels } = inputs;
  const { shape } = labels;
  if (labels.size === 0) return { crossEntropy: zeros(shape), tvd: zeros(shape), stats: zeros([...shape, 3]) };
  const [student, teacher] = [flatten(studentLogits), flatten(teacherLogits)];
  const { target, counts, isClass } = classify(labels, columnsOf(student), ignoreIndex);
  const [lse, teacherLse] = [logSumExp(student, 1, true), logSumExp(teacher, 1, true)];
  const p = exp(sub(student, lse));
  const difference = sub(p, exp(sub(teacher, teacherLse)));
  const nll = sub(lse, sum(where(cast(target, 'bool'), student, scalar(0)), 1, true));
  const perRow = (values: Tensor) => reshape(only(counts, values), shape);
  const signed = sum(mul(p, sign(difference)), 1, true);
  return {
    crossEntropy: perRow(where(isClass, nll, mul(onesLike(nll), Number.NaN))),
    tvd: perRow(mul(sum(abs(difference), 1, true), 0.5)),
    stats: reshape(only(counts, concat([lse, teacherLse, signed], 1)), [...shape, 3]),
  };
});

export const fusedCrossEntropyTvdGrad = composedKernel(FusedCrossEntropyTvdGrad, (inputs, { ignoreIndex }) => {
  const { studentLogits, teacherLogits, labels, stats, dcrossEntropy, dtvd } = inputs;
  if (labels.size === 0) return { dstudentLogits: zeros(studentLogits.shape) };
  const [student, teacher] = [flatten(studentLogits), flatten(teacherLogits)];
  const { target, counts } = classify(labels, columnsOf(student), ignoreIndex);
  const [lse, teacherLse, signed] = split(flatten(stats), 3, 1) as [Tensor, Tensor, Tensor];
  const p = exp(sub(student, lse));
  const q = exp(sub(teacher, teacherLse));
  const column = (values: Tensor) => reshape(values, [labels.size, 1]);
  const byDistance = mul(mul(p, sub(sign(sub(p, q)), signed)), mul(column(dtvd), 0.5));
  const slopes = add(mul(column(dcrossEntropy), sub(p, target)), byDistance);
  return { dstudentLogits: reshape(only(counts, slopes), studentLogits.shape) };
});
