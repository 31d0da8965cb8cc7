import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import type { ConfigOf } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { ReluSquared } from '../kernels/contracts/relu_squared.js';

const signature = new Signature('reluSquared', { x: float32('...') }, {});

/** Options of {@link reluSquared}: there are none. */
export interface ReluSquaredConfig extends ConfigOf<typeof signature.options> {}

/**
 * The squared ReLU: `max(x, 0)²`.
 *
 * So et al., "Primer: Searching for Efficient Transformers" (2021); `liger_relu_squared` in Liger-Kernel.
 *
 * @param x Of any shape.
 * @returns Of x's shape. Differentiable in x.
 */
export function reluSquared<T extends Tensor>(x: T | TensorLike, config?: ReluSquaredConfig): T {
  return signature.call({ x }, config, ({ tensors }) => runKernel(ReluSquared, tensors, {}).y as T);
}
