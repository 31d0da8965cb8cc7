import {
  concat,
  div,
  exp,
  log,
  logSumExp,
  maximum,
  mul,
  neg,
  notEqual,
  reshape,
  split,
  sqrt,
  square,
  sub,
  type Tensor,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { LogitsDivergence, type LogitsDivergenceAttrs, LogitsDivergenceGrad } from '../contracts/logits_divergence.js';
import { composedKernel } from './shared/composed_kernel.js';
import { jsdElements, jsdSlopes, surprise } from './shared/jsd_terms.js';
import { only, sumOfRow } from './shared/rows.js';

/** Norms below it count as this. */
const SMALLEST_NORM = 1e-12;

/** The loss's elements of log q, and their derivatives. */
function termsOf({ kind, beta }: LogitsDivergenceAttrs, logQ: Tensor, teacher: Tensor, teacherLse: Tensor) {
  if (kind === 'klDiv') {
    return { elements: () => surprise(teacher, log(teacher), logQ), slopes: () => neg(teacher) };
  }
  const logs = { logP: sub(teacher, teacherLse), logQ };
  return { elements: () => jsdElements(logs, beta), slopes: () => jsdSlopes(logs, beta) };
}

export const logitsDivergence = composedKernel(LogitsDivergence, ({ student, teacher }, attrs) => {
  const [rows] = student.shape as [number, number];
  if (rows === 0) return { loss: zeros([0]), stats: zeros([0, 3]) };
  if (attrs.kind === 'cosine') {
    const inverse = (x: Tensor) => div(1, maximum(sqrt(sumOfRow(square(x))), SMALLEST_NORM));
    const [studentInverse, teacherInverse] = [inverse(student), inverse(teacher)];
    const cosine = mul(sumOfRow(mul(student, teacher)), mul(studentInverse, teacherInverse));
    return {
      loss: reshape(sub(1, cosine), [rows]),
      stats: concat([studentInverse, teacherInverse, cosine], 1),
    };
  }
  const lse = logSumExp(student, 1, true);
  const teacherLse = attrs.kind === 'klDiv' ? zerosLike(lse) : logSumExp(teacher, 1, true);
  const { elements, slopes } = termsOf(attrs, sub(student, lse), teacher, teacherLse);
  return {
    loss: reshape(sumOfRow(elements()), [rows]),
    stats: concat([lse, teacherLse, sumOfRow(slopes())], 1),
  };
});

export const logitsDivergenceGrad = composedKernel(
  LogitsDivergenceGrad,
  ({ student, teacher, stats, dloss }, attrs) => {
    const [rows] = student.shape as [number, number];
    if (rows === 0) return { dstudent: zerosLike(student) };
    const [first, second, third] = split(stats, 3, 1) as [Tensor, Tensor, Tensor];
    const scale = reshape(dloss, [rows, 1]);
    if (attrs.kind === 'cosine') {
      const across = sub(mul(mul(student, first), third), mul(teacher, second));
      return { dstudent: mul(across, mul(first, scale)) };
    }
    const logQ = sub(student, first);
    const { slopes } = termsOf(attrs, logQ, teacher, second);
    // A row without a gradient has none, whatever its logits are.
    return { dstudent: only(notEqual(scale, 0), mul(sub(slopes(), mul(exp(logQ), third)), scale)) };
  },
);
