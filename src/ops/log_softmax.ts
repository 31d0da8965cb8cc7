import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import type { ConfigOf } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { LogSoftmax } from '../kernels/contracts/log_softmax.js';

const signature = new Signature('logSoftmax', { x: float32('...', 'C') }, {});

/** Options of {@link logSoftmax}: there are none. */
export interface LogSoftmaxConfig extends ConfigOf<typeof signature.options> {}

/**
 * The logarithm of softmax over the last dimension: `x − log Σ exp(x)`, without overflow.
 *
 * Entries of −∞ stay −∞; a row of nothing else is NaN. On WebGPU the gradient is written over the result where nothing else holds that by
 * then. `log_softmax` in PyTorch.
 *
 * @param x Logits `[..., C]`.
 * @returns Log-probabilities `[..., C]`. Differentiable in x.
 */
export function logSoftmax<T extends Tensor>(x: T | TensorLike, config?: LogSoftmaxConfig): T {
  return signature.call({ x }, config, ({ tensors }) => runKernel(LogSoftmax, tensors, {}).y as T);
}
