import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { float32, int32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { ScaledCrossEntropy } from '../kernels/contracts/scaled_cross_entropy.js';
import { checkRange } from './shared/label_range.js';
import {
  type ScaledCrossEntropyOptions,
  type ScaledCrossEntropyResult,
  scaledCrossEntropyOptions,
} from './shared/scaled_cross_entropy_options.js';

const signature = new Signature(
  'scaledCrossEntropy',
  { logits: float32('...', 'V'), labels: int32('...') },
  scaledCrossEntropyOptions,
);

/** Options of {@link scaledCrossEntropy}. */
export interface ScaledCrossEntropyConfig<E extends boolean = boolean> extends ScaledCrossEntropyOptions<E> {}

/**
 * Of each token, the negative log-likelihood of its label, and the entropy, in the distribution `softmax(logits / temperature)`:
 * what losses of reinforcement learning are made of. The logits are read once forward, which keeps one or two numbers a token, and
 * once backward. On WebGPU their gradient is written over them where nothing else holds them by then. Where they are those of a linear
 * layer, `fusedLinearScaledCrossEntropy` never holds them all.
 *
 * @param logits `[..., V]`.
 * @param labels `[...]`, int32, in [0, V) or `ignoreIndex`. One out of range is an error where labels are in JavaScript's memory,
 *     and gives NaN where they are on a device.
 * @returns nll and, with `returnEntropy`, entropy, each for each token. Both are differentiable in the logits.
 */
export function scaledCrossEntropy<E extends boolean = false>(
  logits: Tensor | TensorLike,
  labels: Tensor | TensorLike,
  config?: ScaledCrossEntropyConfig<E>,
): ScaledCrossEntropyResult<E> {
  const result = signature.call({ logits, labels }, config, ({ tensors, config: attrs, sizes }) => {
    checkRange(signature.op, 'labels', tensors.labels, sizes.V, attrs.ignoreIndex);
    const { nll, entropy } = runKernel(ScaledCrossEntropy, tensors, attrs);
    return entropy ? { nll, entropy } : { nll };
  });
  return result as ScaledCrossEntropyResult<E>;
}
