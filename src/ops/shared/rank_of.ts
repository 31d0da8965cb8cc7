import { Tensor } from '@tensorflow/tfjs-core';

/** The dimensions of a tensor, or of nested arrays. */
export function rankOf(value: unknown): number {
  if (value instanceof Tensor) return value.rank;
  let rank = 0;
  for (let inner = value; Array.isArray(inner) || ArrayBuffer.isView(inner); inner = (inner as unknown[])[0]) rank++;
  return rank;
}
