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
  add(mul(labels, 1 - labelSmoothing), labelSmoothing / labels.shape[1]!);

/** Returns how to undo it. */
export function replaceSoftmaxCrossEntropy(): () => void {
  return replaceMethod(
    losses as Losses,
    'softmaxCrossEntropy',
    (stock) =>
      (labels, logits, weights, labelSmoothing = 0, reduction = Reduction.SUM_BY_NONZERO_WEIGHTS) => {
        const isFused =
          labels instanceof Tensor &&
          isFloat(logits) &&
          logits.rank > 0 &&
          util.arraysEqual(labels.shape, logits.shape);
        if (!isFused) return stock(labels, logits, weights, labelSmoothing, reduction);
        return tidy(() => {
          const y = cast(labels, 'float32');
          const targets = labelSmoothing > 0 ? smoothed(y, labelSmoothing) : y;
          const attrs = { labelSmoothing: 0, reduction: 'none', epsilon: 0, targetsAreNormalized: true } as const;
          const { loss } = runKernel(SoftCrossEntropy, { logits, targets }, attrs);
          return losses.computeWeightedLoss(loss, weights, reduction);
        });
      },
  );
}
