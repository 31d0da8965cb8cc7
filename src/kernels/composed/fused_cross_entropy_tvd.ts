import {
  abs,
  add,
  concat,
  exp,
  expandDims,
  fill,
  logSumExp,
  mul,
  reshape,
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
import { classify } from './shared/cross_entropy_rows.js';
import { columnsOf, flatten, only } from './shared/rows.js';

export const fusedCrossEntropyTvd = composedKernel(FusedCrossEntropyTvd, (inputs, { ignoreIndex }) => {
  const { studentLogits, teacherLogits, labels } = inputs;
  const { shape } = labels;
  if (labels.size === 0) return { crossEntropy: zeros(shape), tvd: zeros(shape), stats: zeros([...shape, 3]) };
  const [student, teacher] = [flatten(studentLogits), flatten(teacherLogits)];
  const { counts, invalid, pick } = classify(labels, columnsOf(student), ignoreIndex);
  const [lse, teacherLse] = [logSumExp(student, 1, true), logSumExp(teacher, 1, true)];
  const p = exp(sub(student, lse));
  const difference = sub(p, exp(sub(teacher, teacherLse)));
  const nll = sub(reshape(lse, counts.shape), pick(student));
  const perRow = (values: Tensor) => reshape(only(counts, values), shape);
  const signed = sum(mul(p, sign(difference)), 1, true);
  return {
    crossEntropy: perRow(where(invalid, fill(nll.shape, Number.NaN), nll)),
    tvd: perRow(mul(sum(abs(difference), 1), 0.5)),
    stats: reshape(only(expandDims(counts, 1), concat([lse, teacherLse, signed], 1)), [...shape, 3]),
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
  const slopes = add(mul(column(dcrossEntropy), sub(p, target())), byDistance);
  return { dstudentLogits: reshape(only(expandDims(counts, 1), slopes), studentLogits.shape) };
});
