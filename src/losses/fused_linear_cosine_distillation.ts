import { mul, type Tensor, type TensorLike } from '@tensorflow/tfjs-core';
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

const op = 'fusedLinearCosineDistillation';

const ownOptions = {
  ...distillationOptions,
  /** What the distance of the logits is multiplied by. Default 0.5. */
  beta: number(0.5),
} as const;

const signatureOf = forBothLayouts(
  (layout) => new Signature(op, distillationTensors(layout), { ...ownOptions, ...partsOption }),
);

/** Options of {@link fusedLinearCosineDistillation}. */
export interface FusedLinearCosineDistillationConfig<P extends boolean = boolean> extends ConfigOf<typeof ownOptions> {
  /** Returns an object with the loss and its two parts. Default false. */
  returnSoftHardLoss?: P;
}

/**
 * Distillation by the cosine of the student's logits and the teacher's, averaged over the tokens that count:
 *
 *     weightHardLoss · crossEntropy + weightSoftLoss · beta · (1 − cos(student, teacher))
 *
 * The logits of both exist for a chunk of tokens at a time. A teacher may have more classes than the student, whose logits are 0
 * there.
 *
 * `LigerFusedLinearCosineSimilarityLoss` in Liger-Kernel.
 *
 * @param studentInput `[..., H]`
 * @param studentWeight The student's output layer `[V, H]`, or `[H, V]` with `transposeWeight`.
 * @param teacherInput `[..., G]`. Not differentiable.
 * @param teacherWeight The teacher's `[W, G]`, or `[G, W]`, W at least V. Not differentiable.
 * @param labels `[...]`, int32, in [0, V) or `ignoreIndex`.
 * @returns The loss, a scalar, or an object with its parts. Differentiable in studentInput, studentWeight and studentBias.
 * @throws If the teacher has fewer classes than the student.
 */
export function fusedLinearCosineDistillation<P extends boolean = false>(
  studentInput: Tensor | TensorLike,
  studentWeight: Tensor | TensorLike,
  teacherInput: Tensor | TensorLike,
  teacherWeight: Tensor | TensorLike,
  labels: Tensor | TensorLike,
  config?: FusedLinearCosineDistillationConfig<P>,
): DistillationReturn<P> {
  const given = { studentInput, studentWeight, teacherInput, teacherWeight, labels };
  const result = signatureOf(config).call(given, config, (call) => {
    const { beta } = call.config;
    return distillation({ op, ...call }, ({ studentLogits, teacherLogits }) =>
      mul(logitsDivergence(studentLogits, teacherLogits, 'cosine'), beta),
    );
  });
  return result as DistillationReturn<P>;
}
