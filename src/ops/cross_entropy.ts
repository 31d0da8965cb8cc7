import type { Tensor, TensorContainer, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, tensor } from '../checks/config_schema.js';
import { float32, int32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { CrossEntropy, type Reduction } from '../kernels/contracts/cross_entropy.js';
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
  weight: tensor(['V']),
} as const;
const signature = new Signature(
  'crossEntropy',
  { logits: float32('...', 'V'), labels: int32('...') },
  { ...ownOptions, ...crossEntropyOptions },
);

/** Options of {@link crossEntropy}. */
export interface CrossEntropyConfig<
  R extends Reduction = Reduction,
  Z extends boolean = boolean,
  A extends boolean = boolean,
  P extends boolean = boolean,
> extends ConfigOf<typeof ownOptions>,
    CrossEntropyOptions<R, Z, A, P> {}

/**
 * Cross entropy between logits and integer labels, with label smoothing, z-loss and softcapping in the same pass. The
 * logits are read once forward, which keeps one number a row, and once backward. On WebGPU their gradient is written over them where
 * nothing else holds them by then.
 *
 * A label that is neither `ignoreIndex` nor in [0, V) is an error where the labels are in JavaScript's memory, and gives NaN
 * where they are on a device. If every label is ignored the loss and its gradient are 0.
 *
 * `liger_cross_entropy` in Liger-Kernel; online softmax from Milakov and Gimelshein (2018).
 *
 * @param logits `[..., V]`.
 * @param labels `[...]`, int32.
 * @returns The loss, or an object with it and what the `returnX` options ask for. Differentiable in the logits.
 */
export function crossEntropy<
  R extends Reduction = 'mean',
  Z extends boolean = false,
  A extends boolean = false,
  P extends boolean = false,
>(
  logits: Tensor | TensorLike,
  labels: Tensor | TensorLike,
  config?: CrossEntropyConfig<R, Z, A, P>,
): CrossEntropyReturn<R, Z, A, P> {
  const result = signature.call({ logits, labels }, config, ({ tensors, config: options, sizes }) => {
    checkRange(signature.op, 'labels', tensors.labels, sizes.V, options.ignoreIndex);
    const attrs = crossEntropyAttrs(options);
    const { logits, labels, weight } = tensors;
    return crossEntropyResult(runKernel(CrossEntropy, { logits, labels, weight }, attrs), attrs) as TensorContainer;
  });
  return result as CrossEntropyReturn<R, Z, A, P>;
}
