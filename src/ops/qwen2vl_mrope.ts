import type { Tensor, Tensor4D, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, integerTriple, required } from '../checks/config_schema.js';
import { fail } from '../checks/errors.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { Qwen2vlMrope } from '../kernels/contracts/qwen2vl_mrope.js';
import type { RopeResult } from './rope.js';

const op = 'qwen2vlMrope';

const signature = new Signature(
  op,
  {
    q: float32('B', 'Hq', 'T', 'D'),
    k: float32('B', 'Hk', 'T', 'D'),
    cos: float32('3', 'B', 'T', 'D'),
    sin: float32('3', 'B', 'T', 'D'),
  },
  {
    /** How many of the D / 2 pairs turn by temporal, by height and by width positions, in this order; such as [16, 24, 24]. */
    mropeSection: required(integerTriple({ min: 0 })),
  },
);

/** Options of {@link qwen2vlMrope}. */
export interface Qwen2vlMropeConfig extends ConfigOf<typeof signature.options> {}

/**
 * Multimodal rotary position embedding of queries and keys: {@link rope} with three positions for each token, its time and its
 * place in an image, each of which turns a section of the pairs `(x[i], x[i + D / 2])`.
 *
 * Wang et al., "Qwen2-VL: Enhancing Vision-Language Model's Perception of the World at Any Resolution" (2024);
 * `liger_multimodal_rotary_pos_emb` in Liger-Kernel.
 *
 * @param q Queries `[B, Hq, T, D]`, D even.
 * @param k Keys `[B, Hk, T, D]`; their number of heads may differ.
 * @param cos Cosines of the angles `[3, B, T, D]`, of temporal, height and width positions.
 * @param sin Sines of the angles, of the same shape.
 * @param config With `mropeSection`, which every call needs.
 * @returns Both rotated. Differentiable in q and k.
 * @throws If `mropeSection` does not add up to D / 2.
 */
export function qwen2vlMrope(
  q: Tensor | TensorLike,
  k: Tensor | TensorLike,
  cos: Tensor | TensorLike,
  sin: Tensor | TensorLike,
  config: Qwen2vlMropeConfig,
): RopeResult {
  return signature.call({ q, k, cos, sin }, config, ({ tensors, config: { mropeSection }, sizes: { D } }) => {
    if (D % 2 !== 0) fail(op, 'q', 'of an even last dimension', tensors.q);
    const sum = mropeSection.reduce((a, b) => a + b);
    if (sum !== D / 2) {
      throw new Error(
        `${op}: option 'mropeSection' must add up to D / 2 = ${D / 2}, but got [${mropeSection}], which adds up to ${sum}`,
      );
    }
    const { rotatedQ, rotatedK } = runKernel(Qwen2vlMrope, tensors, { mropeSection, transposed: false });
    return { q: rotatedQ as Tensor4D, k: rotatedK as Tensor4D };
  });
}
