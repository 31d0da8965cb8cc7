import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';
import type { InPlaceAttrs } from './shared/in_place.js';

export interface FusedCrossEntropyTvdInputs {
  /** [..., V] */
  studentLogits: TensorInfo;
  /** [..., V] */
  teacherLogits: TensorInfo;
  /** [...], int32 */
  labels: TensorInfo;
}
export interface FusedCrossEntropyTvdAttrs {
  ignoreIndex: number;
}
/**
 * With p = softmax(studentLogits) and q = softmax(teacherLogits): crossEntropy [...] = −log p of the label, tvd [...] = Σ |p − q| / 2, and
 * stats [..., 3] = log Σ exp of the student's logits and of the teacher's, and Σ p · sign(p − q). All are 0 where the label is
 * ignored; crossEntropy is NaN where it is out of range.
 */
export const FusedCrossEntropyTvd = contract<FusedCrossEntropyTvdInputs, FusedCrossEntropyTvdAttrs>()(
  'LigerFusedCrossEntropyTvd',
  ['crossEntropy', 'tvd', 'stats'],
);

export interface FusedCrossEntropyTvdGradInputs extends FusedCrossEntropyTvdInputs {
  /** [..., 3] */
  stats: TensorInfo;
  /** [...] */
  dcrossEntropy: TensorInfo;
  /** [...] */
  dtvd: TensorInfo;
}
/** dstudentLogits, which may take the place of the student's logits. */
export const FusedCrossEntropyTvdGrad = contract<
  FusedCrossEntropyTvdGradInputs,
  FusedCrossEntropyTvdAttrs & InPlaceAttrs
>()('LigerFusedCrossEntropyTvdGrad', ['dstudentLogits']);
