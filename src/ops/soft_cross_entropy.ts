import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, number, oneOf } from '../checks/config_schema.js';
import { float32, numeric, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import type { Reduction } from '../kernels/contracts/cross_entropy.js';
import { SoftCrossEntropy } from '../kernels/contracts/soft_cross_entropy.js';
import type { CrossEntropyReturn } from './shared/cross_entropy_options.js';

const signature = new Signature(
  'softCrossEntropy',
  { logits: float32('...', 'V'), targets: numeric('...', 'V') },
  {
    /** How much of the targets is spread evenly over all classes, in [0, 1]. Default 0. */
    labelSmoothing: number(0, { min: 0, max: 1 }),
    /** 'mean' over all rows, 'sum', or 'none', one loss a row. Default 'mean'. */
    reduction: oneOf(['mean', 'sum', 'none'], 'mean'),
  },
);

/** Options of {@link softCrossEntropy}. */
export interface SoftCrossEntropyConfig<R extends Reduction = Reduction> extends ConfigOf<typeof signature.options> {
  /** 'mean' over all rows, 'sum', or 'none', one loss a row. Default 'mean'. */
  reduction?: R;
}

/**
 * Cross entropy between logits and a target distribution over the classes, such as a teacher's, mixed labels or one-hot ones:
 * `Σ y · (lse − logits)` of each row, where `lse = log Σ exp(logits)` and `y = targets · (1 − labelSmoothing) + labelSmoothing / V`.
 *
 * Both are read once forward, which keeps two numbers a row, and once backward. On WebGPU the gradient of the logits is written over
 * them where nothing else holds them by then, and integers are read as they are.
 *
 * A class whose y is 0 has no loss, even where its logit is −∞. The rows of the targets need not add up to 1. Where labels are class
 * numbers, `crossEntropy` needs no one-hot tensor.
 *
 * `cross_entropy` with class probabilities in PyTorch; online softmax from Milakov and Gimelshein (2018).
 *
 * @param logits `[..., V]`.
 * @param targets Of the same shape. One-hot labels may be int32 or bool, too, which have no gradient.
 * @returns A scalar, or `[...]` with the reduction 'none'. Differentiable in logits and targets.
 */
export function softCrossEntropy<R extends Reduction = 'mean'>(
  logits: Tensor | TensorLike,
  targets: Tensor | TensorLike,
  config?: SoftCrossEntropyConfig<R>,
): CrossEntropyReturn<R, false, false, false> {
  const loss = signature.call({ logits, targets }, config, ({ tensors, config: options }) => {
    return runKernel(SoftCrossEntropy, tensors, { ...options, epsilon: 0, targetsAreNormalized: false }).loss;
  });
  return loss as CrossEntropyReturn<R, false, false, false>;
}
