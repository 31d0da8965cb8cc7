/** The attention of tfjs-layers' MultiHeadAttention, which also its transformer layers use. */
import { cast, expandDims, mul, sub, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { flashAttention } from '../ops/flash_attention.js';
import { replaceMethod } from './replace_method.js';
import type { MultiHeadAttentionLayer } from './tfjs_layers.js';

/** What tfjs adds to the score of a key that is masked. */
const MASKED = -1e9;

/** The calls whose attention scores nobody will see. */
const withoutScores = new WeakSet<MultiHeadAttentionLayer>();

/** Whether the layer attends along one dimension of `[B, T, N, D]`, with heads as wide in values as in keys. */
export const isFlash = ({ attentionAxes, keyDim, valueDim }: MultiHeadAttentionLayer): boolean =>
  attentionAxes?.length === 1 && attentionAxes[0] === 1 && keyDim === valueDim;

/** A mask [B or 1, T, S] as what is added to the scores, [B or 1, 1, T, S]. */
const biasOf = (mask: Tensor) => expandDims(mul(sub(1, cast(mask, 'float32')), MASKED), 1);

/** Replaces the attention of one layer, or, given the prototype, of all. Returns how to undo it. */
export function replaceAttention(target: MultiHeadAttentionLayer): () => void {
  const undoCall = replaceMethod(
    target,
    'call',
    (stock) =>
      function (this: MultiHeadAttentionLayer, ...args) {
        withoutScores.add(this);
        try {
          return stock.apply(this, args);
        } finally {
          withoutScores.delete(this);
        }
      },
  );
  const undoAttention = replaceMethod(
    target,
    'computeAttention',
    (stock) =>
      function (this: MultiHeadAttentionLayer, query, key, value, mask, training) {
        if (!withoutScores.has(this) || !isFlash(this) || query.rank !== 4 || (mask && mask.rank !== 3)) {
          return stock.call(this, query, key, value, mask, training);
        }
        const y = tidy(() =>
          flashAttention(query, key, value, {
            layout: 'bthd',
            bias: mask && biasOf(mask),
            dropout: training ? this.dropout : 0,
          }),
        );
        // In the place of the scores.
        return [y, y];
      },
  );
  return () => {
    undoCall();
    undoAttention();
  };
}
