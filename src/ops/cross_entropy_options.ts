import type { Scalar, Tensor } from '@tensorflow/tfjs-core';
import { type ConfigOf, flag, integer, number, oneOf } from '../checks/config_schema.js';
import type { CrossEntropyAttrs, Reduction } from '../kernels/kernel_names.js';

/** The options that crossEntropy and fusedLinearCrossEntropy share. */
export const crossEntropyOptions = {
  /** Labels with this value don't count. Default -100. */
  ignoreIndex: integer(-100),
  /** How much of the target is spread evenly over all classes, in [0, 1]. Default 0. */
  labelSmoothing: number(0, { min: 0, max: 1 }),
  /** Factor of the z-loss, lse², which is added to the loss (PaLM). Default 0. */
  lseSquareScale: number(0),
  /** Caps logits smoothly: softcap · tanh(logits / softcap), as Gemma 2 does. Default none. */
  softcap: number(undefined, { min: 0, above: true }),
  /** 'mean' over the labels that count, by their weights where classes have some; 'sum'; or 'none', one loss a token. */
  reduction: oneOf(['mean', 'sum', 'none'], 'mean'),
  /** What the sum of losses is divided by instead, for gradient accumulation over several calls. */
  numItemsInBatch: number(undefined, { min: 0, above: true }),
  /** Also returns zLoss, the part of the loss that is the z-loss. Not differentiable. Default false. */
  returnZLoss: flag(),
  /** Also returns tokenAccuracy, the share of labels that count whose logit is the largest. Default false. */
  returnTokenAccuracy: flag(),
  /** Also returns predictedTokens, int32: the first class with the largest logit, -1 where the label is ignored. Default false. */
  returnPredictedTokens: flag(),
} as const;

type Options = ConfigOf<typeof crossEntropyOptions>;

/** What a cross entropy returns with a `returnX` option. */
export interface CrossEntropyResult<L extends Tensor = Tensor> {
  /** A scalar, or the labels' shape for the reduction 'none'. */
  loss: L;
  /** As loss; with `returnZLoss`. */
  zLoss?: L;
  /** As loss; with `returnTokenAccuracy`. */
  tokenAccuracy?: L;
  /** int32, of the labels' shape; with `returnPredictedTokens`. */
  predictedTokens?: Tensor;
}

/** The result's type for a config's type: the loss alone, or an object when something more is asked for. */
export type CrossEntropyReturn<C> = C extends
  | { returnZLoss: true }
  | { returnTokenAccuracy: true }
  | { returnPredictedTokens: true }
  ? CrossEntropyResult<LossOf<C>> & Returned<C>
  : LossOf<C>;

type LossOf<C> = C extends { reduction: 'none' }
  ? Tensor
  : C extends { reduction: 'mean' | 'sum' }
    ? Scalar
    : C extends { reduction: unknown }
      ? Tensor
      : Scalar;
type Returned<C> = (C extends { returnZLoss: true } ? { zLoss: LossOf<C> } : unknown) &
  (C extends { returnTokenAccuracy: true } ? { tokenAccuracy: LossOf<C> } : unknown) &
  (C extends { returnPredictedTokens: true } ? { predictedTokens: Tensor } : unknown);

/** The kernel's attributes for an op's options. */
export function crossEntropyAttrs(options: Options): CrossEntropyAttrs {
  return {
    ignoreIndex: options.ignoreIndex!,
    labelSmoothing: options.labelSmoothing!,
    lseSquareScale: options.lseSquareScale!,
    softcap: options.softcap ?? 0,
    reduction: options.reduction as Reduction,
    numItemsInBatch: options.numItemsInBatch ?? 0,
    returnZLoss: options.returnZLoss!,
    returnTokenAccuracy: options.returnTokenAccuracy!,
    returnPredictedTokens: options.returnPredictedTokens!,
  };
}

/** The loss alone, or an object of what was asked for. `extras` are the tensors after the loss, in the kernel's order. */
export function crossEntropyResult(
  loss: Tensor,
  extras: Tensor[],
  attrs: CrossEntropyAttrs,
): Tensor | CrossEntropyResult {
  if (!attrs.returnZLoss && !attrs.returnTokenAccuracy && !attrs.returnPredictedTokens) return loss;
  const result: CrossEntropyResult = { loss };
  let next = 0;
  if (attrs.returnZLoss) result.zLoss = extras[next++]!;
  if (attrs.returnTokenAccuracy) result.tokenAccuracy = extras[next++]!;
  if (attrs.returnPredictedTokens) result.predictedTokens = extras[next++]!;
  return result;
}
