import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, number } from '../checks/config_schema.js';
import { Signature } from '../checks/signature.js';
import {
  type DistillationReturn,
  distillation,
  distillationOptions,
  distillationTensors,
  logitsDivergence,
  partsOption,
} from './shared/distillation.js';
import { forBothLayouts } from './shared/head.js';

const op = 'fusedLinearJsdDistillation';

const ownOptions = {
  ...distillationOptions,
  /** How much of the mixture is the teacher, in [0, 1]. Default 0.5. */
  beta: number(0.5, { min: 0, max: 1 }),
} as const;

const signatureOf = forBothLayouts(
  (layout) => new Signature(op, distillationTensors(layout), { ...ownOptions, ...partsOption }),
);

/** Options of {@link fusedLinearJsdDistillation}. */
export interface FusedLinearJsdDistillationConfig<P extends boolean = boolean> extends ConfigOf<typeof ownOptions> {
  /** Returns an object with the loss and its two parts. Default false. */
  returnSoftHardLoss?: P;
}

/**
 * Distillation by the generalized Jensen-Shannon divergence of the student from the teacher, averaged over the tokens that count:
 *
 *     weightHardLoss · crossEntropy + weightSoftLoss · (beta · KL(P, M) + (1 − beta) · KL(Q, M)),    M = beta · P + (1 − beta) · Q
 *
 * with Q and P the softmax of the student's logits and of the teacher's over the temperature; KL(P, Q) for beta 0, KL(Q, P) for beta 1.
 *
 * The logits of both exist for a chunk of tokens at a time. A teacher may have more classes than the student, whose logits are 0
 * there.
 *
 * Agarwal et al., "On-Policy Distillation of Language Models" (2024); `LigerFusedLinearJSDLoss` in Liger-Kernel.
 *
 * @param studentInput `[..., H]`
 * @param studentWeight The student's output layer `[V, H]`, or `[H, V]` with `transposeWeight`.
 * @param teacherInput `[..., G]`. Not differentiable.
 * @param teacherWeight The teacher's `[W, G]`, or `[G, W]`, W at least V. Not differentiable.
 * @param labels `[...]`, int32, in [0, V) or `ignoreIndex`.
 * @returns The loss, a scalar, or an object with its parts. Differentiable in studentInput, studentWeight and studentBias.
 * @throws If the teacher has fewer classes than the student.
 */
export function fusedLinearJsdDistillation<P extends boolean = false>(
  studentInput: Tensor | TensorLike,
  studentWeight: Tensor | TensorLike,
  teacherInput: Tensor | TensorLike,
  teacherWeight: Tensor | TensorLike,
  labels: Tensor | TensorLike,
  config?: FusedLinearJsdDistillationConfig<P>,
): DistillationReturn<P> {
  const given = { studentInput, studentWeight, teacherInput, teacherWeight, labels };
  const result = signatureOf(config).call(given, config, (call) => {
    const { beta } = call.config;
    return distillation({ op, ...call }, ({ studentLogits, teacherLogits }) =>
      logitsDivergence(studentLogits, teacherLogits, 'jsd', beta),
    );
  });
  return result as DistillationReturn<P>;
}
