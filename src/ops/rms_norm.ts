import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, number } from '../checks/config_schema.js';
import { float32, optional, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { RmsNorm } from '../kernels/contracts/rms_norm.js';

const signature = new Signature(
  'rmsNorm',
  { x: float32('...', 'C'), gamma: optional(float32('C')) },
  {
    /** Added to the mean square before the root. Default 1e-6. */
    epsilon: number(1e-6, { min: 0 }),
    /** Added to gamma: 1 for models such as Gemma, whose gamma is stored around 0. Default 0. */
    offset: number(0),
  },
);

/** Options of {@link rmsNorm}. */
export interface RmsNormConfig extends ConfigOf<typeof signature.options> {}

/**
 * Root mean square normalization over the last dimension: `x / √(mean(x²) + epsilon) · (gamma + offset)`.
 *
 * Zhang and Sennrich, "Root Mean Square Layer Normalization" (2019); `liger_rms_norm` in Liger-Kernel.
 *
 * @param x Activations `[..., C]`.
 * @param gamma Scale `[C]`; without it the result is not scaled.
 * @returns `[..., C]`. Differentiable in x and gamma.
 */
export function rmsNorm<T extends Tensor>(x: T | TensorLike, gamma?: Tensor | TensorLike, config?: RmsNormConfig): T {
  return signature.call(
    { x, gamma },
    config,
    ({ tensors, config: attrs }) => runKernel(RmsNorm, tensors, attrs).y as T,
  );
}
