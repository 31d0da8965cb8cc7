import type { Tensor, Tensor4D, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, integer, oneOf } from '../checks/config_schema.js';
import { fail } from '../checks/errors.js';
import { type Argument, float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { Rope } from '../kernels/contracts/rope.js';
import { rotationShape } from '../kernels/contracts/shared/rotation_shape.js';
import { rankOf } from './shared/rank_of.js';

const op = 'rope';

const options = {
  /** How many of a head's dimensions are rotated, an even number R: the first ones; the rest passes. Default as many as cos has. */
  rotaryDim: integer(undefined, { min: 2 }),
  /** 'bhtd': q and k are [B, H, T, D]. 'bthd': [B, T, H, D]. 'thd': [T, H, D], as in vision towers. Default 'bhtd'. */
  layout: oneOf(['bhtd', 'bthd', 'thd'], 'bhtd'),
} as const;

type RopeSignature = Signature<Record<'q' | 'k' | 'cos' | 'sin', Argument>, typeof options>;

const angles = { cos: float32('N', 'T', 'R'), sin: float32('N', 'T', 'R') };
const byHead: RopeSignature = new Signature(
  op,
  { q: float32('B', 'Hq', 'T', 'D'), k: float32('B', 'Hk', 'T', 'D'), ...angles },
  options,
);
const byToken: RopeSignature = new Signature(
  op,
  { q: float32('B', 'T', 'Hq', 'D'), k: float32('B', 'T', 'Hk', 'D'), ...angles },
  options,
);
const ofOneBatch = { q: float32('T', 'Hq', 'D'), k: float32('T', 'Hk', 'D') };
const withoutBatch: RopeSignature = new Signature(
  op,
  { ...ofOneBatch, cos: float32('T', 'R'), sin: float32('T', 'R') },
  options,
);
const withBatchOfAngles: RopeSignature = new Signature(
  op,
  { ...ofOneBatch, cos: float32('1', 'T', 'R'), sin: float32('1', 'T', 'R') },
  options,
);

/** Options of {@link rope}. */
export interface RopeConfig extends ConfigOf<typeof options> {}

/** What {@link rope} and its relatives return. */
export interface RopeResult<T extends Tensor = Tensor4D> {
  /** Of q's shape. */
  q: T;
  /** Of k's shape. */
  k: T;
}

/**
 * Rotary position embedding of queries and keys, by halves as in Hugging Face's Llama: `x · cos + rotateHalf(x) · sin`, where
 * `rotateHalf([x1, x2]) = [−x2, x1]`. Of heads larger than R, the last dimension of cos, only the first R dimensions are
 * rotated, as in GPT-NeoX and Phi.
 *
 * Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding" (2021); `liger_rotary_pos_emb` and, with the
 * layout 'thd', `liger_rotary_pos_emb_vision` in Liger-Kernel.
 *
 * @param q Queries `[B, Hq, T, D]`, or as `layout` says.
 * @param k Keys `[B, Hk, T, D]`, likewise; their number of heads may differ.
 * @param cos Cosines of the angles, `[1, T, R]` or `[B, T, R]`, R even and at most D; without a batch `[T, R]` or `[1, T, R]`.
 * @param sin Sines of the angles, of the same shape.
 * @returns Both rotated. Differentiable in q and k.
 * @throws If R is odd or more than D, or `rotaryDim` is not R.
 */
export function rope<T extends Tensor = Tensor4D>(
  q: T | TensorLike,
  k: T | TensorLike,
  cos: Tensor | TensorLike,
  sin: Tensor | TensorLike,
  config?: RopeConfig,
): RopeResult<T> {
  return signatureFor(cos, config).call({ q, k, cos, sin }, config, ({ tensors, config: { rotaryDim, layout } }) => {
    const { batches, headSize } = rotationShape(tensors.q, tensors.k, layout);
    checkAngles(tensors.cos, batches, headSize, rotaryDim);
    const { rotatedQ, rotatedK } = runKernel(Rope, tensors, { layout, transposed: false });
    return { q: rotatedQ as T, k: rotatedK as T };
  });
}

function signatureFor(cos: unknown, config: RopeConfig | undefined): RopeSignature {
  if (config?.layout === 'thd') return rankOf(cos) === 3 ? withBatchOfAngles : withoutBatch;
  return config?.layout === 'bthd' ? byToken : byHead;
}

function checkAngles(cos: Tensor, batches: number, headSize: number, rotaryDim: number | undefined): void {
  const fits = (size: number) => size % 2 === 0 && size <= headSize;
  if (rotaryDim !== undefined) {
    if (!fits(rotaryDim)) fail(op, "option 'rotaryDim'", `an even number of at most D = ${headSize}`, rotaryDim);
    if (cos.shape.at(-1) !== rotaryDim) fail(op, 'cos', `of a last dimension of rotaryDim = ${rotaryDim}`, cos);
  } else if (!fits(cos.shape.at(-1)!)) {
    fail(op, 'cos', `of an even last dimension of at most D = ${headSize}`, cos);
  }
  if (cos.rank === 3 && cos.shape[0] !== 1 && cos.shape[0] !== batches) {
    fail(op, 'cos', `of shape [1 or ${batches}, T, R]`, cos);
  }
}
