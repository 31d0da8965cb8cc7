import type { Tensor, TensorContainer, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, flag, tensor } from '../checks/config_schema.js';
import { float32, int32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import type { Reduction } from '../kernels/contracts/cross_entropy.js';
import { FusedLinearCrossEntropy } from '../kernels/contracts/fused_linear_cross_entropy.js';
import { chunkedLinearAttrs, chunkedLinearOptions } from './shared/chunked_linear.js';
import {
  type CrossEntropyOptions,
  type CrossEntropyReturn,
  crossEntropyAttrs,
  crossEntropyOptions,
  crossEntropyResult,
} from './shared/cross_entropy_options.js';
import { checkRange } from './shared/label_range.js';

const ownOptions = {
  /** A weight for each class, [V]. Not differentiable. */
  classWeight: tensor(['V']),
  /** Multiplies each token's loss by the probability of its label, which counts as a constant. Default false. */
  useTokenScaling: flag(),
} as const;
const options = { ...chunkedLinearOptions, ...ownOptions, ...crossEntropyOptions };
const OP = 'fusedLinearCrossEntropy';
const x = float32('...', 'H');
const labels = int32('...');
const signature = new Signature(OP, { x, weight: float32('V', 'H'), labels }, options);
const transposed = new Signature(OP, { x, weight: float32('H', 'V'), labels }, options);

/** Options of {@link fusedLinearCrossEntropy}. */
export interface FusedLinearCrossEntropyConfig<
  R extends Reduction = Reduction,
  Z extends boolean = boolean,
  A extends boolean = boolean,
  P extends boolean = boolean,
> extends ConfigOf<typeof chunkedLinearOptions>,
    ConfigOf<typeof ownOptions>,
    CrossEntropyOptions<R, Z, A, P> {}

/**
 * Cross entropy of a linear layer, `crossEntropy(x · weightᵀ + bias, labels)`, without ever holding all logits: they are made
 * for a chunk of tokens at a time, and turned into gradients in place. While a tape is recording the gradients of x, weight
 * and bias are computed in the forward pass (for the reduction 'none' in the backward pass, from the logits again); without one
 * only the loss is.
 *
 * Labels as in {@link crossEntropy}. `liger_fused_linear_cross_entropy` in Liger-Kernel.
 *
 * @param x Hidden states `[..., H]`.
 * @param weight The output layer `[V, H]`, or `[H, V]` with `transposeWeight`.
 * @param labels `[...]`, int32.
 * @returns The loss, or an object with it and what the `returnX` options ask for. Differentiable in x, weight and bias.
 */
export function fusedLinearCrossEntropy<
  R extends Reduction = 'mean',
  Z extends boolean = false,
  A extends boolean = false,
  P extends boolean = false,
>(
  x: Tensor | TensorLike,
  weight: Tensor | TensorLike,
  labels: Tensor | TensorLike,
  config?: FusedLinearCrossEntropyConfig<R, Z, A, P>,
): CrossEntropyReturn<R, Z, A, P> {
  const chosen = config?.transposeWeight === true ? transposed : signature;
  const result = chosen.call({ x, weight, labels }, config, ({ tensors, config: options, sizes }) => {
    checkRange(OP, 'labels', tensors.labels, sizes.V, options.ignoreIndex);
    const { useTokenScaling, reduction } = options;
    const attrs = {
      ...crossEntropyAttrs(options),
      ...chunkedLinearAttrs(tensors, options, reduction !== 'none'),
      useTokenScaling,
    };
    return crossEntropyResult(runKernel(FusedLinearCrossEntropy, tensors, attrs), attrs) as TensorContainer;
  });
  return result as CrossEntropyReturn<R, Z, A, P>;
}
