import {
  add,
  div,
  mul,
  notEqual,
  pad,
  type Scalar,
  scalar,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
} from '@tensorflow/tfjs-core';
import { flag, integer, number, tensor } from '../../checks/config_schema.js';
import { fail } from '../../checks/errors.js';
import { float32, int32 } from '../../checks/signature.js';
import { runKernel } from '../../engine/run_kernel.js';
import { LogitsDivergence, type LogitsDivergenceAttrs } from '../../kernels/contracts/logits_divergence.js';
import { crossEntropy } from '../../ops/cross_entropy.js';
import { checkRange } from '../../ops/shared/label_range.js';
import { type ChunkLosses, logitsOf, sumOverChunks } from './chunked_logits.js';
import { numberOfCounted, overTemperature, sumOfCounted } from './functions.js';
import type { Layout } from './head.js';

/** What a soft loss is computed from: some tokens' logits. */
export interface DistillationLogits {
  /** `[n, V]`: the student's logits over the temperature. Classes that it lacks and the teacher has are 0. */
  readonly studentLogits: Tensor2D;
  /** `[n, V]`: the teacher's. A constant. */
  readonly teacherLogits: Tensor2D;
  /** `[n]`, int32: the tokens' labels. */
  readonly labels: Tensor1D;
}

/** What every loss of distillation returns with `returnSoftHardLoss`. */
export type DistillationResult = {
  /** A scalar: weightHardLoss · hardLoss + weightSoftLoss · softLoss. */
  loss: Scalar;
  /** A scalar: the teacher's part of it. */
  softLoss: Tensor;
  /** A scalar: the cross entropy of the labels. */
  hardLoss: Tensor;
};

export const distillationTensors = (layout: Layout) => ({
  studentInput: float32('...', 'H'),
  studentWeight: float32(...layout('V', 'H')),
  teacherInput: float32('...', 'G'),
  teacherWeight: float32(...layout('W', 'G')),
  labels: int32('...'),
});

/** The options of both layers. */
export const bothLayersOptions = {
  /** Added to the student's logits, [V]. */
  studentBias: tensor(['V']),
  /** Added to the teacher's logits. Not differentiable. */
  teacherBias: tensor(['W']),
  /** Takes the weights as [H, V] instead of [V, H]. Default false. */
  transposeWeight: flag(),
  /** Tokens whose logits exist at once. By default 256, or more where they take less than 64 MB or an eighth of the weight. */
  chunkSize: integer(undefined, { min: 1 }),
  /** Tokens with this label don't count. Default -100. */
  ignoreIndex: integer(-100),
  /** What logits are divided by for the soft loss, above 0. Default 1. */
  temperature: number(1, { min: 0, above: true }),
} as const;

/** The options of every loss of distillation. */
export const distillationOptions = {
  ...bothLayersOptions,
  /** What the cross entropy of the labels is multiplied by. Default 0.5. */
  weightHardLoss: number(0.5),
  /** What the loss by the teacher is multiplied by. Default 0.5. */
  weightSoftLoss: number(0.5),
} as const;

/** Whether the parts of the loss are returned, too. */
export const partsOption = {
  /** Returns an object with the loss and its two parts. Default false. */
  returnSoftHardLoss: flag(),
} as const;

/** What a loss of distillation returns, by `returnSoftHardLoss`. */
export type DistillationReturn<P extends boolean> = [P] extends [true]
  ? DistillationResult
  : [P] extends [false]
    ? Scalar
    : Scalar | DistillationResult;

/** What a call of a loss of distillation comes with. */
export interface DistillationCall<P extends boolean> {
  readonly op: string;
  readonly tensors: Readonly<
    Record<'studentInput' | 'studentWeight' | 'teacherInput' | 'teacherWeight', Tensor> &
      Record<'labels' | 'studentBias' | 'teacherBias', Tensor | undefined>
  >;
  readonly config: {
    readonly transposeWeight: boolean;
    readonly chunkSize?: number | undefined;
    readonly ignoreIndex: number;
    readonly temperature: number;
    readonly weightHardLoss: number;
    readonly weightSoftLoss: number;
    readonly returnSoftHardLoss: P;
  };
  readonly sizes: { readonly H: number; readonly V: number; readonly W: number };
}

/**
 * A loss of distillation, averaged over the tokens that count.
 *
 * @param softLossOf The loss by the teacher: of each token, [n], of which those that are ignored don't count; or the sum, a scalar.
 */
export function distillation<P extends boolean>(
  { op, tensors, config, sizes }: DistillationCall<P>,
  softLossOf: (logits: DistillationLogits) => Tensor,
): DistillationReturn<P> {
  const { studentInput, studentWeight, teacherInput, teacherWeight, labels } = tensors;
  const { transposeWeight, ignoreIndex, temperature, weightHardLoss, weightSoftLoss, returnSoftHardLoss } = config;
  const missing = sizes.W - sizes.V;
  if (missing < 0) {
    fail(op, 'teacherWeight', `of at least as many classes as studentWeight, ${sizes.V}`, teacherWeight);
  }
  if (labels) checkRange(op, 'labels', labels, sizes.V, ignoreIndex);
  const returned = (losses: ChunkLosses) => (returnSoftHardLoss ? losses : losses.loss) as DistillationReturn<P>;
  const tokens = studentInput.size / sizes.H;
  if (tokens === 0) return returned({ loss: scalar(0), softLoss: scalar(0), hardLoss: scalar(0) });

  const student = { x: studentInput, weight: studentWeight, bias: tensors.studentBias };
  const teacher = { x: teacherInput, weight: teacherWeight, bias: tensors.teacherBias };
  const counts = labels && notEqual(labels, ignoreIndex);
  const total = numberOfCounted(counts, tokens);
  const padded = (logits: Tensor2D) =>
    missing === 0
      ? logits
      : pad(logits, [
          [0, 0],
          [0, missing],
        ]);

  const sums = sumOverChunks(
    student,
    { transposeWeight, chunkSize: config.chunkSize, columns: sizes.W },
    (chunk) => ({
      teacherLogits: overTemperature(logitsOf(teacher, chunk, transposeWeight), temperature),
      labels: labels && (chunk.of(labels) as Tensor1D),
      isCounted: counts && chunk.of(counts),
    }),
    (logits, { teacherLogits, labels, isCounted }): ChunkLosses => {
      const studentLogits = padded(overTemperature(logits, temperature));
      const soft = checkedSoftLoss(op, softLossOf({ studentLogits, teacherLogits, labels: labels! }), logits.shape[0]);
      const softLoss = div(soft.rank === 1 ? sumOfCounted(soft, isCounted) : sum(soft), total);
      const softPart: Scalar = mul(softLoss, weightSoftLoss);
      if (!labels || (weightHardLoss === 0 && !returnSoftHardLoss)) return { loss: softPart };
      const hardLoss = div(crossEntropy(logits, labels, { ignoreIndex, reduction: 'sum' }), total);
      const loss: Scalar = add(mul(hardLoss, weightHardLoss), softPart);
      return returnSoftHardLoss ? { loss, softLoss, hardLoss } : { loss };
    },
  );
  return returned(sums);
}

function checkedSoftLoss(op: string, loss: Tensor, rows: number): Tensor {
  const isLoss = loss?.dtype === 'float32' && (loss.rank === 0 || (loss.rank === 1 && loss.size === rows));
  if (!isLoss) fail(op, 'what lossOf returns', `a float32 scalar, or one for each of the ${rows} tokens`, loss);
  return loss;
}

/** How far rows of logits are apart, [n]; the divergence that `kind` names. */
export const logitsDivergence = (
  student: Tensor,
  teacher: Tensor,
  kind: LogitsDivergenceAttrs['kind'],
  beta = 0,
): Tensor => runKernel(LogitsDivergence, { student, teacher }, { kind, beta }).loss;
