import type { TensorInfo } from '@tensorflow/tfjs-core';

/** The sizes of a linear layer, whose weight is [outFeatures, inFeatures], or the other way round with `transposeWeight`. */
export function linearFeatures({ shape }: TensorInfo, transposeWeight: boolean) {
  const [outer = 0, inner = 0] = shape;
  return transposeWeight ? { inFeatures: outer, outFeatures: inner } : { inFeatures: inner, outFeatures: outer };
}
