import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import type { ConfigOf } from '../checks/config_schema.js';
import { float32, int32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { FusedLinearScaledCrossEntropy } from '../kernels/contracts/fused_linear_scaled_cross_entropy.js';
import { chunkedLinearOptions } from './shared/chunked_linear.js';
import { checkRange } from './shared/label_range.js';
import {
  type ScaledCrossEntropyOptions,
  type ScaledCrossEntropyResult,
  scaledCrossEntropyOptions,
} from './shared/scaled_cross_entropy_options.js';

const options = { ...chunkedLinearOptions, ...scaledCrossEntropyOptions } as const;
const OP = 'fusedLinearScaledCrossEntropy';
const x = float32('...', 'H');
const labels = int32('...');
const signature = new Signature(OP, { x, weight: float32('V', 'H'), labels }, options);
const transposed = new Signature(OP, { x, weight: float32('H', 'V'), labels }, options);

/** Options of {@link fusedLinearScaledCrossEntropy}. */
export interface FusedLinearScaledCrossEntropyConfig<E extends boolean = boolean>
  extends ConfigOf<typeof chunkedLinearOptions>,
    ScaledCrossEntropyOptions<E> {}

/** What {@link fusedLinearScaledCrossEntropy} returns, by `returnEntropy`. */
export type FusedLinearScaledCrossEntropyResult<E extends boolean = boolean> = ScaledCrossEntropyResult<E>;

/**
 * Of each token, the negative log-likelihood of its label, and the entropy, in the distribution
 * `softmax((x · weightᵀ + bias) / temperature)`: what losses of reinforcement learning and of preferences are made of. Logits exist
 * for a chunk of tokens at a time, and are made again in the backward pass; a head that is frozen gets no gradient computed.
 *
 * `LigerFusedLinearScaledCrossEntropyFunction` in Liger-Kernel.
 *
 * @param x Hidden states `[..., H]`.
 * @param weight The output layer `[V, H]`, or `[H, V]` with `transposeWeight`.
 * @param labels `[...]`, int32, in [0, V) or `ignoreIndex`. One out of range is an error where labels are in JavaScript's memory,
 *     and gives NaN where they are on a device.
 * @returns nll and, with `returnEntropy`, entropy, each for each token. Both are differentiable in x, weight and bias.
 */
export function fusedLinearScaledCrossEntropy<E extends boolean = false>(
  x: Tensor | TensorLike,
  weight: Tensor | TensorLike,
  labels: Tensor | TensorLike,
  config?: FusedLinearScaledCrossEntropyConfig<E>,
): FusedLinearScaledCrossEntropyResult<E> {
  const chosen = config?.transposeWeight === true ? transposed : signature;
  const result = chosen.call({ x, weight, labels }, config, ({ tensors, config: options, sizes }) => {
    const { temperature, ignoreIndex, returnEntropy, transposeWeight, chunkSize = 0 } = options;
    checkRange(OP, 'labels', tensors.labels, sizes.V, ignoreIndex);
    const attrs = { temperature, ignoreIndex, returnEntropy, transposeWeight, chunkSize };
    const { nll, entropy } = runKernel(FusedLinearScaledCrossEntropy, tensors, attrs);
    return entropy ? { nll, entropy } : { nll };
  });
  return result as FusedLinearScaledCrossEntropyResult<E>;
}
