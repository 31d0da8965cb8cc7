import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, integer } from '../checks/config_schema.js';
import { float32, int32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { FusedCrossEntropyTvd } from '../kernels/contracts/fused_cross_entropy_tvd.js';
import { checkRange } from './shared/label_range.js';

const signature = new Signature(
  'fusedCrossEntropyTvd',
  { studentLogits: float32('...', 'V'), teacherLogits: float32('...', 'V'), labels: int32('...') },
  {
    /** Tokens with this label have neither loss. Default -100. */
    ignoreIndex: integer(-100),
  },
);

/** Options of {@link fusedCrossEntropyTvd}. */
export interface FusedCrossEntropyTvdConfig extends ConfigOf<typeof signature.options> {}

/** What {@link fusedCrossEntropyTvd} returns. */
export type FusedCrossEntropyTvdResult = {
  /** `[...]`: the cross entropy of each token's label. */
  crossEntropy: Tensor;
  /** `[...]`: the total variation distance of each token's two distributions. */
  tvd: Tensor;
};

/**
 * Of each token, the cross entropy of a student's logits with the label, and the total variation distance of their distribution
 * from a teacher's, `Σ |softmax(studentLogits) − softmax(teacherLogits)| / 2`: for distillation by both, in whatever proportion.
 *
 * Labels, and where the gradient is written, as in {@link crossEntropy}.
 *
 * @param studentLogits `[..., V]`.
 * @param teacherLogits Of the same shape. Not differentiable.
 * @param labels `[...]`, int32.
 * @returns Both for each token, each differentiable in studentLogits.
 */
export function fusedCrossEntropyTvd(
  studentLogits: Tensor | TensorLike,
  teacherLogits: Tensor | TensorLike,
  labels: Tensor | TensorLike,
  config?: FusedCrossEntropyTvdConfig,
): FusedCrossEntropyTvdResult {
  return signature.call({ studentLogits, teacherLogits, labels }, config, ({ tensors, config: attrs, sizes }) => {
    checkRange(signature.op, 'labels', tensors.labels, sizes.V, attrs.ignoreIndex);
    const { crossEntropy, tvd } = runKernel(FusedCrossEntropyTvd, tensors, attrs);
    return { crossEntropy, tvd };
  });
}
