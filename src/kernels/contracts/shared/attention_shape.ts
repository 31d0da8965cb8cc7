import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { FlashAttentionAttrs, FlashAttentionInputs } from '../flash_attention.js';

/** Where a tensor's heads lie: floats from one batch, head and row to the next, and before the first. */
export interface HeadStrides {
  readonly batch: number;
  readonly head: number;
  readonly row: number;
  readonly offset: number;
}

/** The sizes of an attention call, and how its tensors lie in memory. */
export interface AttentionShape {
  readonly batches: number;
  readonly queryHeads: number;
  readonly keyHeads: number;
  /** Query heads that share a head of keys. */
  readonly group: number;
  readonly queries: number;
  readonly keys: number;
  readonly headSize: number;
  readonly isPacked: boolean;
  readonly yShape: number[];
  readonly strides: {
    readonly q: HeadStrides;
    readonly k: HeadStrides;
    readonly v: HeadStrides;
    readonly y: HeadStrides;
  };
}

export function attentionShape(
  { q, k }: Pick<FlashAttentionInputs, 'q' | 'k'>,
  { layout, queryHeads, keyHeads }: Pick<FlashAttentionAttrs, 'layout' | 'queryHeads' | 'keyHeads'>,
): AttentionShape {
  const isPacked = k === undefined;
  const batches = q.shape[0]!;
  const lengthOf = ({ shape }: TensorInfo) => (layout === 'bhtd' ? shape[2]! : shape[1]!);
  const queries = lengthOf(q);
  const keys = k ? lengthOf(k) : queries;
  const heads = isPacked ? queryHeads + 2 * keyHeads : queryHeads;
  const headSize = q.shape.length === 4 ? q.shape[3]! : q.shape[2]! / heads;
  const stridesOf = (length: number, heads: number, first = 0): HeadStrides =>
    layout === 'bhtd'
      ? { batch: heads * length * headSize, head: length * headSize, row: headSize, offset: 0 }
      : { batch: length * heads * headSize, head: headSize, row: heads * headSize, offset: first * headSize };
  const own = stridesOf(queries, queryHeads);
  const ofKeys = stridesOf(keys, keyHeads);
  return {
    batches,
    queryHeads,
    keyHeads,
    group: queryHeads / keyHeads,
    queries,
    keys,
    headSize,
    isPacked,
    yShape: isPacked ? [batches, queries, queryHeads * headSize] : q.shape,
    strides: isPacked
      ? {
          q: stridesOf(queries, heads),
          k: stridesOf(queries, heads, queryHeads),
          v: stridesOf(queries, heads, queryHeads + keyHeads),
          y: own,
        }
      : { q: own, k: ofKeys, v: ofKeys, y: own },
  };
}
