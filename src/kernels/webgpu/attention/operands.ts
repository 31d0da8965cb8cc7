import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { FlashAttentionInputs } from '../../contracts/flash_attention.js';
import type { AttentionShape, HeadStrides } from '../../contracts/shared/attention_shape.js';
import type { Gpu } from '../runtime/gpu.js';
import { contiguousStrides } from './heads.js';
import { rotate } from './rotate.js';

/** Queries, keys and values as programs read them. */
export interface AttentionOperands {
  readonly q: TensorInfo;
  readonly k: TensorInfo;
  readonly v: TensorInfo;
  readonly strides: { readonly q: HeadStrides; readonly k: HeadStrides; readonly v: HeadStrides };
  /** What was made for them, and is to be released. */
  readonly scratch: readonly TensorInfo[];
}

/** The operands of a call: q and k rotated by their places, if there are angles. */
export function rotatedOperands(gpu: Gpu, inputs: FlashAttentionInputs, shape: AttentionShape): AttentionOperands {
  const { q, k = q, v = q, cos, sin } = inputs;
  const { batches, queryHeads, keyHeads, queries, keys, headSize, strides } = shape;
  if (!cos || !sin) return { q, k, v, strides, scratch: [] };
  const rotated = (x: TensorInfo, heads: number, length: number, from: HeadStrides) => {
    const y = gpu.output([batches, heads, length, headSize]);
    const to = contiguousStrides(heads, length, headSize);
    rotate(gpu, { x, y, from, to, cos, sin, batches, heads, length, headSize, transposed: false });
    return { y, to };
  };
  const ofQ = rotated(q, queryHeads, queries, strides.q);
  const ofK = rotated(k, keyHeads, keys, strides.k);
  return { q: ofQ.y, k: ofK.y, v, strides: { q: ofQ.to, k: ofK.to, v: strides.v }, scratch: [ofQ.y, ofK.y] };
}
