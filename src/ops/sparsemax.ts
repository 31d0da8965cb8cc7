import { type Tensor, type TensorLike, transpose } from '@tensorflow/tfjs-core';
import { type ConfigOf, integer } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { Sparsemax } from '../kernels/contracts/sparsemax.js';

const op = 'sparsemax';

const signature = new Signature(
  op,
  { x: float32('...', 'C') },
  {
    /** The dimension of which entries add up to 1; below 0, counted from the end. Default −1. */
    axis: integer(-1),
  },
);

/** Options of {@link sparsemax}. */
export interface SparsemaxConfig extends ConfigOf<typeof signature.options> {}

/**
 * Sparsemax: the point nearest to x whose entries are at least 0 and add up to 1, `max(x − τ, 0)` with the one τ for which they
 * do. Unlike softmax's, many entries are exactly 0.
 *
 * Another axis than the last costs two transpositions: kernels go over rows whose entries lie side by side.
 *
 * Martins and Astudillo, "From Softmax to Sparsemax" (2016); `liger_sparsemax` in Liger-Kernel.
 *
 * @param x Logits, of any rank but 0. Entries of −∞ have weight 0.
 * @returns Of x's shape. Differentiable in x.
 * @throws If x has no dimension `axis`.
 */
export function sparsemax<T extends Tensor>(x: T | TensorLike, config?: SparsemaxConfig): T {
  return signature.call({ x }, config, ({ tensors, config: { axis } }) => {
    const { rank } = tensors.x;
    if (axis < -rank || axis >= rank) {
      throw new Error(`${op}: option 'axis' must be in [${-rank}, ${rank - 1}] for x of rank ${rank}, but got ${axis}`);
    }
    const last = rank - 1;
    const from = (axis + rank) % rank;
    const run = (rows: Tensor) => runKernel(Sparsemax, { x: rows }, {}).y;
    if (from === last) return run(tensors.x) as T;
    // Exchanging two dimensions is its own inverse.
    const exchanged = Array.from({ length: rank }, (_, i) => (i === from ? last : i === last ? from : i));
    return transpose(run(transpose(tensors.x, exchanged)), exchanged) as T;
  });
}
