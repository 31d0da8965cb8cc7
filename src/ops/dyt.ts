import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, tensor } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { Dyt } from '../kernels/contracts/dyt.js';

const signature = new Signature(
  'dyt',
  { x: float32('...', 'C'), alpha: float32('1'), gamma: float32('C') },
  {
    /** Added to the result, [C]. */
    beta: tensor(['C']),
  },
);

/** Options of {@link dyt}. */
export interface DytConfig extends ConfigOf<typeof signature.options> {}

/**
 * Dynamic tanh, which stands in the place of a normalization: `gamma · tanh(alpha · x) + beta`.
 *
 * Zhu et al., "Transformers without Normalization" (2025); `liger_dyt` in Liger-Kernel.
 *
 * @param x Activations `[..., C]`.
 * @param alpha How steep the tanh is, `[1]`.
 * @param gamma Scale `[C]`.
 * @returns `[..., C]`. Differentiable in x, alpha, gamma and beta.
 */
export function dyt<T extends Tensor>(
  x: T | TensorLike,
  alpha: Tensor | TensorLike,
  gamma: Tensor | TensorLike,
  config?: DytConfig,
): T {
  return signature.call({ x, alpha, gamma }, config, ({ tensors }) => runKernel(Dyt, tensors, {}).y as T);
}
