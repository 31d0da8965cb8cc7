import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import type { ConfigOf } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { Softmax } from '../kernels/kernel_names.js';
import { runKernel } from '../kernels/run_kernel.js';

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
  return signature.call({ x }, config, ({ tensors }) => {
    const [y] = runKernel(Softmax, tensors, {});
    return y as T;
  });
}
