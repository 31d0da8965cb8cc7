import type { Tensor, Tensor4D, TensorLike } from '@tensorflow/tfjs-core';
import type { ConfigOf } from '../checks/config_schema.js';
import { fail } from '../checks/errors.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { Llama4Rope } from '../kernels/contracts/llama4_rope.js';
import type { RopeResult } from './rope.js';

const op = 'llama4Rope';

const signature = new Signature(
  op,
  {
    q: float32('B', 'T', 'Hq', 'D'),
    k: float32('B', 'T', 'Hk', 'D'),
    freqsReal: float32('T', 'D/2'),
    freqsImag: float32('T', 'D/2'),
  },
  {},
);

/** Options of {@link llama4Rope}: there are none. */
export interface Llama4RopeConfig extends ConfigOf<typeof signature.options> {}

/**
 * Rotary position embedding of queries and keys by pairs of neighbors, as in Llama 4: `x[2i] + i · x[2i + 1]` times
 * `freqsReal + i · freqsImag`, a complex number of each pair and place. {@link rope} pairs x[i] with x[i + D / 2] instead.
 *
 * Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding" (2021); `liger_llama4_text_rotary_pos_emb` in
 * Liger-Kernel.
 *
 * @param q Queries `[B, T, Hq, D]`, D even.
 * @param k Keys `[B, T, Hk, D]`; their number of heads may differ.
 * @param freqsReal Cosines of the angles, `[T, D / 2]`: the real parts of Llama's `freqs_cis`.
 * @param freqsImag Sines of the angles, of the same shape: its imaginary parts.
 * @returns Both rotated. Differentiable in q and k.
 * @throws If D is odd, or the last dimension of freqsReal is not D / 2.
 */
export function llama4Rope(
  q: Tensor | TensorLike,
  k: Tensor | TensorLike,
  freqsReal: Tensor | TensorLike,
  freqsImag: Tensor | TensorLike,
  config?: Llama4RopeConfig,
): RopeResult {
  return signature.call({ q, k, freqsReal, freqsImag }, config, ({ tensors, sizes: { D, 'D/2': half } }) => {
    if (D % 2 !== 0) fail(op, 'q', 'of an even last dimension', tensors.q);
    if (half !== D / 2) fail(op, 'freqsReal', `of a last dimension of D / 2 = ${D / 2}`, tensors.freqsReal);
    const { rotatedQ, rotatedK } = runKernel(Llama4Rope, tensors, { transposed: false });
    return { q: rotatedQ as Tensor4D, k: rotatedK as Tensor4D };
  });
}
