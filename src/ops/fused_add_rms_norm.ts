import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, number } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { FusedAddRmsNorm } from '../kernels/contracts/fused_add_rms_norm.js';

const signature = new Signature(
  'fusedAddRmsNorm',
  { x: float32('...', 'C'), residual: float32('...', 'C'), gamma: float32('C') },
  {
    /** Added to the mean square before the root. Default 1e-6. */
    epsilon: number(1e-6, { min: 0 }),
    /** Added to gamma: 1 for models such as Gemma, whose gamma is stored around 0. Default 0. */
    offset: number(0),
  },
);

/** Options of {@link fusedAddRmsNorm}. */
export interface FusedAddRmsNormConfig extends ConfigOf<typeof signature.options> {}

/** What {@link fusedAddRmsNorm} returns. */
export type FusedAddRmsNormResult<T extends Tensor = Tensor> = {
  /** The normalized sum. */
  y: T;
  /** The sum x + residual: the residual stream that the next block adds to. */
  residual: T;
};

/**
 * A residual connection and the normalization after it, in one pass over memory: `s = x + residual`, then
 * `s / √(mean(s²) + epsilon) · (gamma + offset)` over the last dimension.
 *
 * `liger_fused_add_rms_norm` in Liger-Kernel.
 *
 * @param x Activations `[..., C]`: the output of a block.
 * @param residual The residual stream `[..., C]`.
 * @param gamma Scale `[C]`.
 * @returns `y` and the new `residual`, both `[..., C]`. Differentiable in x, residual and gamma.
 */
export function fusedAddRmsNorm<T extends Tensor>(
  x: T | TensorLike,
  residual: T | TensorLike,
  gamma: Tensor | TensorLike,
  config?: FusedAddRmsNormConfig,
): FusedAddRmsNormResult<T> {
  return signature.call({ x, residual, gamma }, config, ({ tensors, config: attrs }) => {
    const { y, sum } = runKernel(FusedAddRmsNorm, tensors, attrs);
    return { y: y as T, residual: sum as T };
  });
}
