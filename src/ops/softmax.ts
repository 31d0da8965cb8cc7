import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import type { ConfigOf } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { Softmax } from '../kernels/contracts/softmax.js';

const signature = new Signature('softmax', { x: float32('...', 'C') }, {});

/** Options of {@link softmax}: there are none. */
export interface SoftmaxConfig extends ConfigOf<typeof signature.options> {}

/**
 * Softmax over the last dimension: `exp(x) / Σ exp(x)`, without overflow.
 *
 * Entries of −∞ have probability 0; a row of nothing else is NaN. `liger_softmax` in Liger-Kernel.
 *
 * @param x Logits `[..., C]`.
 * @returns `[..., C]`. Differentiable in x.
 */
export function softmax<T extends Tensor>(x: T | TensorLike, config?: SoftmaxConfig): T {
  return signature.call({ x }, config, ({ tensors }) => runKernel(Softmax, tensors, {}).y as T);
}
