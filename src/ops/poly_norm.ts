import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, number } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { PolyNorm } from '../kernels/contracts/poly_norm.js';

const signature = new Signature(
  'polyNorm',
  { x: float32('...', 'C'), weight: float32('3'), bias: float32() },
  {
    /** Added to each mean square before its root. Default 1e-6. */
    epsilon: number(1e-6, { min: 0 }),
  },
);

/** Options of {@link polyNorm}. */
export interface PolyNormConfig extends ConfigOf<typeof signature.options> {}

/**
 * A polynomial of normalized powers, which stands in the place of an activation:
 *
 *     y = weight[0] · n(x³) + weight[1] · n(x²) + weight[2] · n(x) + bias, n(u) = u / √(mean(u²) + epsilon)
 *
 * The means are over the last dimension. The powers are taken of n(x), so that those of a large x do not overflow.
 *
 * Zhuo et al., "Polynomial Composition Activations: Unleashing the Dynamics of Large Language Models" (2024);
 * `liger_poly_norm` in Liger-Kernel.
 *
 * @param x Activations `[..., C]`.
 * @param weight Coefficients of the third, the second and the first power, `[3]`.
 * @param bias Added to every element, `[]`: a scalar.
 * @returns `[..., C]`. Differentiable in x, weight and bias.
 */
export function polyNorm<T extends Tensor>(
  x: T | TensorLike,
  weight: Tensor | TensorLike,
  bias: Tensor | TensorLike,
  config?: PolyNormConfig,
): T {
  return signature.call(
    { x, weight, bias },
    config,
    ({ tensors, config: attrs }) => runKernel(PolyNorm, tensors, attrs).y as T,
  );
}
