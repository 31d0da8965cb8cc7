import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, number } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { LayerNorm } from '../kernels/contracts/layer_norm.js';

const signature = new Signature(
  'layerNorm',
  { x: float32('...', 'C'), gamma: float32('C'), beta: float32('C') },
  {
    /** Added to the variance before the root. Default 1e-6. */
    epsilon: number(1e-6, { min: 0 }),
  },
);

/** Options of {@link layerNorm}. */
export interface LayerNormConfig extends ConfigOf<typeof signature.options> {}

/**
 * Layer normalization over the last dimension: `(x − mean(x)) / √(variance(x) + epsilon) · gamma + beta`.
 *
 * Ba, Kiros and Hinton, "Layer Normalization" (2016); `liger_layer_norm` in Liger-Kernel.
 *
 * @param x Activations `[..., C]`.
 * @param gamma Scale `[C]`.
 * @param beta Shift `[C]`.
 * @returns `[..., C]`. Differentiable in x, gamma and beta.
 */
export function layerNorm<T extends Tensor>(
  x: T | TensorLike,
  gamma: Tensor | TensorLike,
  beta: Tensor | TensorLike,
  config?: LayerNormConfig,
): T {
  return signature.call(
    { x, gamma, beta },
    config,
    ({ tensors, config: attrs }) => runKernel(LayerNorm, tensors, attrs).y as T,
  );
}
