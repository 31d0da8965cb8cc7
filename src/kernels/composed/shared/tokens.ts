import { reshape, type Tensor, util } from '@tensorflow/tfjs-core';

/** A tensor of tokens, whatever their leading dimensions, as [tokens, ...shape]. */
export function asTokens(x: Tensor, ...shape: number[]): Tensor {
  return reshape(x, [x.size / util.sizeFromShape(shape), ...shape]);
}
