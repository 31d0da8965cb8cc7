import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import type { ConfigOf } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { Tvd } from '../kernels/contracts/tvd.js';
import { reductionOption, rowOptions } from './shared/divergence_options.js';

const signature = new Signature(
  'tvd',
  { p: float32('...', 'V'), q: float32('...', 'V') },
  { ...rowOptions, ...reductionOption },
);

/** Options of {@link tvd}. */
export interface TvdConfig extends ConfigOf<typeof signature.options> {}

/**
 * The total variation distance `|p − q| / 2` of two distributions, from their probabilities. Where both are equal the gradient is 0.
 *
 * `liger_tvd` in Liger-Kernel.
 *
 * @param p Probabilities `[..., V]`.
 * @param q Of the same shape. Not differentiable.
 * @returns A scalar, or `[..., V]` with the reduction 'none'. Differentiable in p.
 */
export function tvd(p: Tensor | TensorLike, q: Tensor | TensorLike, config?: TvdConfig): Tensor {
  return signature.call({ p, q }, config, ({ tensors: { p, q, labels }, config: { reduction, ignoreIndex } }) => {
    return runKernel(Tvd, { input: p, target: q, labels }, { reduction, ignoreIndex }).loss;
  });
}
