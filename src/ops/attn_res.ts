import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, number } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { AttnRes } from '../kernels/contracts/attn_res.js';

const signature = new Signature(
  'attnRes',
  { v: float32('N', 'B', 'T', 'D'), wQuery: float32('D'), wNorm: float32('D') },
  {
    /** Added to the mean square before the root. Default 1e-6. */
    epsilon: number(1e-6, { min: 0 }),
  },
);

/** Options of {@link attnRes}. */
export interface AttnResConfig extends ConfigOf<typeof signature.options> {}

/**
 * Attention residuals, in the place of residual connections: a token's hidden state is the mean of what all blocks so far gave
 * for it, weighted by softmax over the blocks of `⟨wQuery, rmsNorm(v) · wNorm⟩`.
 *
 * Kimi Team, "Attention Residuals" (2026); `liger_attn_res` in Liger-Kernel.
 *
 * @param v What N blocks gave, `[N, B, T, D]`.
 * @param wQuery A query that is learned, `[D]`.
 * @param wNorm The scale of the norm of keys, `[D]`.
 * @returns `[B, T, D]`. Differentiable in all three.
 */
export function attnRes(
  v: Tensor | TensorLike,
  wQuery: Tensor | TensorLike,
  wNorm: Tensor | TensorLike,
  config?: AttnResConfig,
): Tensor {
  return signature.call(
    { v, wQuery, wNorm },
    config,
    ({ tensors, config: attrs }) => runKernel(AttnRes, tensors, attrs).y,
  );
}
