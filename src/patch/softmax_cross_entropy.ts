/** tf.losses.softmaxCrossEntropy, in one pass over logits and labels. */
import { add, cast, losses, mul, Reduction, Tensor, type TensorLike, tidy, util } from '@tensorflow/tfjs-core';
import { runKernel } from '../engine/run_kernel.js';
import { SoftCrossEntropy } from '../kernels/contracts/soft_cross_entropy.js';
import { replaceMethod } from './replace_method.js';

type Argument = Tensor | TensorLike;

interface Losses {
  softmaxCrossEntropy(
    labels: Argument,
    logits: Argument,
    weights?: Argument,
    labelSmoothing?: number,
    reduction?: Reduction,
  ): Tensor;
}

const isFloat = (x: unknown): x is Tensor => x instanceof Tensor && x.dtype === 'float32';

/** Labels that are spread as tfjs does it, which takes the second dimension for the number of classes. */
const smoothed = (labels: Tensor, labelSmoothing: number) =>
  add(mul(cast(labels, 'float32'), 1 - labelSmoothing), labelSmoothing / labels.shape[1]!);

/** Returns how to undo it. */
export function replaceSoftmaxCrossEntropy(): () => void {
  return replaceMethod(
    losses as Losses,
    'softmaxCrossEntropy',
    (stock) =>
      (labels, logits, weights, labelSmoothing = 0, reduction = Reduction.SUM_BY_NONZERO_WEIGHTS) => {
        const isFused =
          labels instanceof Tensor &&
          ['float32', 'int32', 'bool'].includes(labels.dtype) &&
          isFloat(logits) &&
          logits.rank > 0 &&
          util.arraysEqual(labels.shape, logits.shape);
        if (!isFused) return stock(labels, logits, weights, labelSmoothing, reduction);
        return tidy(() => {
          // Over the last dimension the kernel spreads them itself, and no tensor is made.
          const isLast = labels.shape[1] === labels.shape.at(-1);
          const smoothing = isLast ? Math.max(labelSmoothing, 0) : 0;
          const targets = labelSmoothing > 0 && !isLast ? smoothed(labels, labelSmoothing) : labels;
          const options = { reduction: 'none', epsilon: 0, targetsAreNormalized: true } as const;
          const attrs = { labelSmoothing: smoothing, ...options };
          const { loss } = runKernel(SoftCrossEntropy, { logits, targets }, attrs);
          return losses.computeWeightedLoss(loss, weights, reduction);
        });
      },
  );
}
