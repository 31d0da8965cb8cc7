import type { Tensor, Tensor4D, TensorLike } from '@tensorflow/tfjs-core';
import type { ConfigOf } from '../checks/config_schema.js';
import { fail, show } from '../checks/errors.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { Rope } from '../kernels/contracts/rope.js';

const signature = new Signature(
  'rope',
  {
    q: float32('B', 'Hq', 'T', 'D'),
    k: float32('B', 'Hk', 'T', 'D'),
    cos: float32('N', 'T', 'D'),
    sin: float32('N', 'T', 'D'),
  },
  {},
);

/** Options of {@link rope}: there are none. */
export interface RopeConfig extends ConfigOf<typeof signature.options> {}

/** What {@link rope} returns. */
export interface RopeResult {
  /** [B, Hq, T, D] */
  q: Tensor4D;
  /** [B, Hk, T, D] */
  k: Tensor4D;
}

/**
 * Rotary position embedding of queries and keys, by halves as in Hugging Face's Llama:
 * `x · cos + rotateHalf(x) · sin`, where `rotateHalf([x1, x2]) = [−x2, x1]`.
 *
 * Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding" (2021); `liger_rope` in Liger-Kernel.
 *
 * @param q Queries `[B, Hq, T, D]`, D even.
 * @param k Keys `[B, Hk, T, D]`; their number of heads may differ.
 * @param cos Cosines of the angles, `[1, T, D]` or `[B, T, D]`.
 * @param sin Sines of the angles, of the same shape.
 * @returns Both rotated. Differentiable in q and k.
 */
export function rope(
  q: Tensor | TensorLike,
  k: Tensor | TensorLike,
  cos: Tensor | TensorLike,
  sin: Tensor | TensorLike,
  config?: RopeConfig,
): RopeResult {
  return signature.call({ q, k, cos, sin }, config, ({ tensors, sizes }) => {
    checkSizes(tensors, sizes);
    const { rotatedQ, rotatedK } = runKernel(Rope, tensors, { transposed: false });
    return { q: rotatedQ as Tensor4D, k: rotatedK as Tensor4D };
  });
}

function checkSizes(
  { q, cos }: { q: Tensor; cos: Tensor },
  { B, N, D }: Readonly<Record<'B' | 'N' | 'D', number>>,
): void {
  if (D % 2 !== 0) throw new Error(`rope: q must have an even last dimension, but got ${show(q)}`);
  if (N !== 1 && N !== B) fail('rope', 'cos', `of shape [1 or ${B}, T, D]`, cos);
}
