import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, integer, number } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { FlashAttention } from '../kernels/contracts/flash_attention.js';

const signature = new Signature(
  'fusedNeighborhoodAttention',
  { query: float32('B', 'H', 'T', 'D'), key: float32('B', 'H', 'T', 'D'), value: float32('B', 'H', 'T', 'D') },
  {
    /** The number of keys around its own place that a query sees, itself included; of an even number, one more. Default 7. */
    kernelSize: integer(7, { min: 1 }),
    /** Every how many-th key it sees. Default 1. */
    dilation: integer(1, { min: 1 }),
    /** What products of queries and keys are multiplied by. Default D^−½. */
    scale: number(undefined),
  },
);

/** Options of {@link fusedNeighborhoodAttention}. */
export interface FusedNeighborhoodAttentionConfig extends ConfigOf<typeof signature.options> {}

/**
 * Attention in a neighborhood: a query sees the keys that lie within ⌊kernelSize / 2⌋ steps of `dilation` from its own place,
 * on both sides; fewer at the ends of the sequence. Time and memory grow with T · kernelSize · dilation and with T.
 *
 * Hassani et al., "Neighborhood Attention Transformer" (2022), in one dimension; `liger_fused_neighborhood_attention` in
 * Liger-Kernel.
 *
 * @param query `[B, H, T, D]`, D at most 256.
 * @param key `[B, H, T, D]`
 * @param value `[B, H, T, D]`
 * @returns `[B, H, T, D]`. Differentiable in query, key and value.
 */
export function fusedNeighborhoodAttention(
  query: Tensor | TensorLike,
  key: Tensor | TensorLike,
  value: Tensor | TensorLike,
  config?: FusedNeighborhoodAttentionConfig,
): Tensor {
  return signature.call(
    { query, key, value },
    config,
    ({ tensors, config: { kernelSize, dilation, scale }, sizes }) => {
      const reach = Math.floor(kernelSize / 2) * dilation;
      return runKernel(
        FlashAttention,
        { q: tensors.query, k: tensors.key, v: tensors.value },
        {
          layout: 'bhtd',
          queryHeads: sizes.H,
          keyHeads: sizes.H,
          scale: scale ?? sizes.D ** -0.5,
          softcap: 0,
          before: reach,
          after: reach,
          dilation,
          dropout: 0,
          seed: () => 0,
        },
      ).y;
    },
  );
}
