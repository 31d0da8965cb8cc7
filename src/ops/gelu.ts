import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, oneOf } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { Activate } from '../kernels/contracts/activate.js';

const signature = new Signature(
  'gelu',
  { x: float32('...') },
  {
    /** 'none' for the exact function, or 'tanh' for its formula by tanh, as GPT-2 has it. Default 'none'. */
    approximate: oneOf(['none', 'tanh'], 'none'),
  },
);

/** Options of {@link gelu}. */
export interface GeluConfig extends ConfigOf<typeof signature.options> {}

/**
 * The Gaussian error linear unit: `x · Φ(x) = x / 2 · (1 + erf(x / √2))`, or with `approximate: 'tanh'`
 * `x / 2 · (1 + tanh(√(2 / π) · (x + 0.044715 · x³)))`. Far below 0 it keeps its digits.
 *
 * Hendrycks and Gimpel, "Gaussian Error Linear Units" (2016); `gelu` in PyTorch.
 *
 * @param x Of any shape.
 * @returns Of x's shape. Differentiable in x.
 */
export function gelu<T extends Tensor>(x: T | TensorLike, config?: GeluConfig): T {
  return signature.call({ x }, config, ({ tensors, config: { approximate } }) => {
    return runKernel(Activate, tensors, { activation: approximate === 'tanh' ? 'geluTanh' : 'gelu' }).y as T;
  });
}
