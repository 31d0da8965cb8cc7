import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

/** What an attention call is, beside its tensors. */
export interface FlashAttentionAttrs {
  /** 'bhtd': [B, H, T, D]. 'bthd': [B, T, H, D], or heads side by side, [B, T, H · D]. */
  layout: 'bhtd' | 'bthd';
  queryHeads: number;
  keyHeads: number;
  scale: number;
  /** 0 for none. */
  softcap: number;
  /**
   * How many keys before and after its own place a query sees, and every how many-th of them; −1 for all. The last query's place
   * is the last key's.
   */
  before: number;
  after: number;
  dilation: number;
  /** The share of weights that are dropped. */
  dropout: number;
  /** Read anew in each step, also in one that was captured; the same forward and backward. */
  seed(): number;
}

export interface FlashAttentionInputs {
  /** Queries, by `layout`; or queries, keys and values side by side, [B, T, (Hq + 2 Hk) · D]. */
  q: TensorInfo;
  k?: TensorInfo;
  v?: TensorInfo;
  /** [1 or B, 1 or Hq, 1 or Tq, 1 or Tk], added to the scores. */
  bias?: TensorInfo;
  /** [Hq], logits of their own that carry no value. */
  sinks?: TensorInfo;
  /** [B], int32. */
  keyLengths?: TensorInfo;
  /** [B, T], int32. */
  segmentIds?: TensorInfo;
  /** [1 or B, Tk, D], of the keys' places. */
  cos?: TensorInfo;
  /** [1 or B, Tk, D] */
  sin?: TensorInfo;
}
/**
 * y = softmax(score(q · kᵀ)) · v, of q's shape (of q's part of it), and lse [B, Hq, Tq], the logarithm of the sum of the
 * exponentials of a row's scores and sink.
 */
export const FlashAttention = contract<FlashAttentionInputs, FlashAttentionAttrs>()('LigerFlashAttention', [
  'y',
  'lse',
]);

/** The same, for a call whose lse is a result. */
export const FlashAttentionWithLse = contract<FlashAttentionInputs, FlashAttentionAttrs>()(
  'LigerFlashAttentionWithLse',
  ['y', 'lse'],
);

export interface FlashAttentionGradInputs extends FlashAttentionInputs {
  dy: TensorInfo;
  y: TensorInfo;
  lse: TensorInfo;
  /** The gradient of lse. */
  dlse?: TensorInfo;
}
export interface FlashAttentionGradAttrs extends FlashAttentionAttrs {
  /** Whether k and v are inputs of their own. */
  separate: boolean;
  /** Whether their gradients are wanted. */
  bias: boolean;
  sinks: boolean;
}
/** Gradients, of the shapes of the inputs. */
export const FlashAttentionGrad = contract<FlashAttentionGradInputs, FlashAttentionGradAttrs>()(
  'LigerFlashAttentionGrad',
  ['dq'],
  {
    dk: ({ separate }) => separate,
    dv: ({ separate }) => separate,
    dbias: ({ bias }) => bias,
    dsinks: ({ sinks }) => sinks,
  },
);
