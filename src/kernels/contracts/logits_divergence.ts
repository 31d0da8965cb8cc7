import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export interface LogitsDivergenceInputs {
  /** [n, V]: the student's logits. */
  student: TensorInfo;
  /** [n, V]: the teacher's logits, for 'klDiv' its probabilities. */
  teacher: TensorInfo;
}
export interface LogitsDivergenceAttrs {
  kind: 'jsd' | 'klDiv' | 'cosine';
  /** Of 'jsd'. */
  beta: number;
}
/**
 * How far rows of logits are apart. With q = softmax(student) and p = softmax(teacher), loss [n] is
 *
 *     jsd     beta · KL(p, m) + (1 − beta) · KL(q, m) with m = beta · p + (1 − beta) · q; KL(p, q) for beta 0, KL(q, p) for beta 1
 *     klDiv   KL(teacher, q)
 *     cosine  1 − cos(student, teacher)
 *
 * and stats [n, 3] are log Σ exp of the student's logits and of the teacher's (0 for 'klDiv'), and Σ g, where g is the slope of the
 * loss by log q; for 'cosine' 1 / |student|, 1 / |teacher| and the cosine.
 */
export const LogitsDivergence = contract<LogitsDivergenceInputs, LogitsDivergenceAttrs>()('LigerLogitsDivergence', [
  'loss',
  'stats',
]);

export interface LogitsDivergenceGradInputs extends LogitsDivergenceInputs {
  /** [n, 3] */
  stats: TensorInfo;
  /** [n] */
  dloss: TensorInfo;
}
/** dstudent. */
export const LogitsDivergenceGrad = contract<LogitsDivergenceGradInputs, LogitsDivergenceAttrs>()(
  'LigerLogitsDivergenceGrad',
  ['dstudent'],
);
