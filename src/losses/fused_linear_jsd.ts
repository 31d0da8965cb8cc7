import type { Scalar, Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, number, tensor } from '../checks/config_schema.js';
import { Signature } from '../checks/signature.js';
import { bothLayersOptions, distillation, distillationTensors, logitsDivergence } from './shared/distillation.js';
import { forBothLayouts } from './shared/head.js';

const op = 'fusedLinearJsd';

const options = {
  ...bothLayersOptions,
  /** `[...]`, int32: tokens whose label is `ignoreIndex` don't count. All do by default. */
  labels: tensor(['...'], 'int32'),
  /** How much of the mixture is the teacher, in [0, 1]: 0 gives KL(P, Q), 1 gives KL(Q, P). Default 0.5. */
  beta: number(0.5, { min: 0, max: 1 }),
} as const;

const signatureOf = forBothLayouts((layout) => {
  const { labels: _, ...tensors } = distillationTensors(layout);
  return new Signature(op, tensors, options);
});

/** Options of {@link fusedLinearJsd}. */
export interface FusedLinearJsdConfig extends ConfigOf<typeof options> {}

/**
 * The generalized Jensen-Shannon divergence of a student's distribution Q from a teacher's P, averaged over the tokens that count:
 * `beta · KL(P, M) + (1 − beta) · KL(Q, M)` with `M = beta · P + (1 − beta) · Q`, where Q and P are the softmax of linear layers' logits
 * over the temperature. The logits exist for a chunk of tokens at a time.
 *
 * Agarwal et al., "On-Policy Distillation of Language Models" (2024); `liger_fused_linear_jsd` in Liger-Kernel.
 *
 * @param studentInput `[..., H]`
 * @param studentWeight The student's output layer `[V, H]`, or `[H, V]` with `transposeWeight`.
 * @param teacherInput `[..., G]`. Not differentiable.
 * @param teacherWeight The teacher's `[W, G]`, or `[G, W]`, W at least V: logits of classes that the student lacks are 0. Not
 *     differentiable.
 * @returns A scalar. Differentiable in studentInput, studentWeight and studentBias.
 * @throws If the teacher has fewer classes than the student.
 */
export function fusedLinearJsd(
  studentInput: Tensor | TensorLike,
  studentWeight: Tensor | TensorLike,
  teacherInput: Tensor | TensorLike,
  teacherWeight: Tensor | TensorLike,
  config?: FusedLinearJsdConfig,
): Scalar {
  const given = { studentInput, studentWeight, teacherInput, teacherWeight };
  return signatureOf(config).call(given, config, (call) => {
    const { beta } = call.config;
    const softAlone = { ...call.config, weightHardLoss: 0, weightSoftLoss: 1, returnSoftHardLoss: false } as const;
    return distillation({ op, ...call, config: softAlone }, ({ studentLogits, teacherLogits }) =>
      logitsDivergence(studentLogits, teacherLogits, 'jsd', beta),
    );
  });
}
