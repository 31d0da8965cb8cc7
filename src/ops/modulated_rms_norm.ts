import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, number, tensor } from '../checks/config_schema.js';
import { fail } from '../checks/errors.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { ModulatedRmsNorm } from '../kernels/contracts/modulated_rms_norm.js';

const op = 'modulatedRmsNorm';

const signature = new Signature(
  op,
  { x: float32('...', 'C'), scale: float32('S...', 'C') },
  {
    /** Scale of every row, `[C]`; without it there is none. */
    gamma: tensor(['C']),
    /** Added to the result, of scale's shape. */
    shift: tensor(['S...', 'C']),
    /** Added to the mean square before the root. Default 1e-6. */
    epsilon: number(1e-6, { min: 0 }),
    /** Added to gamma: 1 for models whose gamma is stored around 0. Default 0. */
    offset: number(0),
  },
);

/** Options of {@link modulatedRmsNorm}. */
export interface ModulatedRmsNormConfig extends ConfigOf<typeof signature.options> {}

/**
 * Root mean square normalization, modulated by what a layer is conditioned on, such as the time step of a diffusion
 * transformer:
 *
 *     y = x / √(mean(x²) + epsilon) · (gamma + offset) · (1 + scale) + shift
 *
 * The mean is over the last dimension.
 *
 * Peebles and Xie, "Scalable Diffusion Models with Transformers" (2023), with the norm of {@link rmsNorm};
 * `liger_modulated_rms_norm` in Liger-Kernel.
 *
 * @param x Activations `[..., C]`.
 * @param scale One for all rows, `[C]`; one for each element of the batch, `[B, C]`, where x is `[B, ..., C]`; or one for each
 *     row, of x's shape.
 * @returns `[..., C]`. Differentiable in x, scale, gamma and shift.
 * @throws If scale is of none of these shapes, or shift is not of scale's.
 */
export function modulatedRmsNorm<T extends Tensor>(
  x: T | TensorLike,
  scale: Tensor | TensorLike,
  config?: ModulatedRmsNormConfig,
): T {
  return signature.call({ x, scale }, config, ({ tensors, config: { epsilon, offset }, sizes: { C }, leading }) => {
    const { shape } = tensors.scale;
    const fitting = [[C], [...leading.slice(0, 1), C], [...leading, C]].map((each) => `[${each}]`);
    if (!fitting.includes(`[${shape}]`)) {
      fail(op, 'scale', `of shape ${[...new Set(fitting)].join(' or ')} (as x says)`, tensors.scale);
    }
    return runKernel(ModulatedRmsNorm, tensors, { epsilon, offset }).y as T;
  });
}
