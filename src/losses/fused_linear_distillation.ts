import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import type { ConfigOf } from '../checks/config_schema.js';
import { fail } from '../checks/errors.js';
import { Signature } from '../checks/signature.js';
import {
  type DistillationLogits,
  type DistillationReturn,
  distillation,
  distillationOptions,
  distillationTensors,
  partsOption,
} from './shared/distillation.js';
import { forBothLayouts } from './shared/head.js';

const op = 'fusedLinearDistillation';

const signatureOf = forBothLayouts(
  (layout) => new Signature(op, distillationTensors(layout), { ...distillationOptions, ...partsOption }),
);

/** Options of {@link fusedLinearDistillation}. */
export interface FusedLinearDistillationConfig<P extends boolean = boolean>
  extends ConfigOf<typeof distillationOptions> {
  /** Returns an object with the loss and its two parts. Default false. */
  returnSoftHardLoss?: P;
}

/**
 * A loss of your own between the logits of a student and of a teacher, and the cross entropy of labels, averaged over the tokens
 * that count. The logits of both, and all that your loss makes of them, exist for a chunk of tokens at a time.
 *
 * `LigerFusedLinearDistillationBase` in Liger-Kernel.
 *
 * @param studentInput `[..., H]`
 * @param studentWeight The student's output layer `[V, H]`, or `[H, V]` with `transposeWeight`.
 * @param teacherInput `[..., G]`. Not differentiable.
 * @param teacherWeight The teacher's `[W, G]`, or `[G, W]`, W at least V: logits of classes that the student lacks are 0. Not
 *     differentiable.
 * @param labels `[...]`, int32, in [0, V) or `ignoreIndex`.
 * @param lossOf Given logits of some tokens, `[n, W]`, returns the loss of each, `[n]`, of which those that are ignored don't count; or
 *     their sum, a scalar. It is written in tfjs's ops, and differentiated by the student's logits alone.
 * @returns The loss, a scalar, or an object with its parts. Differentiable in studentInput, studentWeight and studentBias.
 * @throws If the teacher has fewer classes than the student, or `lossOf` returns something else.
 */
export function fusedLinearDistillation<P extends boolean = false>(
  studentInput: Tensor | TensorLike,
  studentWeight: Tensor | TensorLike,
  teacherInput: Tensor | TensorLike,
  teacherWeight: Tensor | TensorLike,
  labels: Tensor | TensorLike,
  lossOf: (logits: DistillationLogits) => Tensor,
  config?: FusedLinearDistillationConfig<P>,
): DistillationReturn<P> {
  if (typeof lossOf !== 'function') fail(op, 'lossOf', 'a function', lossOf);
  const given = { studentInput, studentWeight, teacherInput, teacherWeight, labels };
  const result = signatureOf(config).call(given, config, (call) => distillation({ op, ...call }, lossOf));
  return result as DistillationReturn<P>;
}
