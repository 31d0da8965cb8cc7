import type { Scalar, Tensor } from '@tensorflow/tfjs-core';
import { type ConfigOf, flag, integer, number, oneOf, type ResolvedConfig } from '../../checks/config_schema.js';
import type { CrossEntropyAttrs, Reduction } from '../../kernels/contracts/cross_entropy.js';

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

/** Those options, for a given reduction and given `return…` flags, which the type of the result follows from. */
export interface CrossEntropyOptions<
  R extends Reduction = Reduction,
  Z extends boolean = boolean,
  A extends boolean = boolean,
  P extends boolean = boolean,
> extends Options {
  /** 'mean' over the labels that count, by their weights where classes have some; 'sum'; or 'none', one loss a token. */
  reduction?: R;
  /** Also returns zLoss, the part of the loss that is the z-loss. Not differentiable. Default false. */
  returnZLoss?: Z;
  /** Also returns tokenAccuracy, the share of labels that count whose logit is the largest. Default false. */
  returnTokenAccuracy?: A;
  /** Also returns predictedTokens, int32: the first class with the largest logit, -1 where the label is ignored. Default false. */
  returnPredictedTokens?: P;
}

/** What a cross entropy returns with a `return…` option. */
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

/**
 * The type of the result: the loss alone, or an object when something more is asked for; either where the flags' types leave
 * it open.
 */
export type CrossEntropyReturn<R, Z, A, P> = [Z | A | P] extends [false]
  ? LossOf<R>
  : [Z] extends [true]
    ? ResultOf<R, Z, A, P>
    : [A] extends [true]
      ? ResultOf<R, Z, A, P>
      : [P] extends [true]
        ? ResultOf<R, Z, A, P>
        : LossOf<R> | CrossEntropyResult<LossOf<R>>;

type LossOf<R> = [R] extends ['mean' | 'sum'] ? Scalar : Tensor;

type ResultOf<R, Z, A, P> = CrossEntropyResult<LossOf<R>> &
  ([Z] extends [true] ? { zLoss: LossOf<R> } : unknown) &
  ([A] extends [true] ? { tokenAccuracy: LossOf<R> } : unknown) &
  ([P] extends [true] ? { predictedTokens: Tensor } : unknown);

/** The kernel's attributes for an op's options. */
export function crossEntropyAttrs(options: ResolvedConfig<typeof crossEntropyOptions>): CrossEntropyAttrs {
  return {
    ignoreIndex: options.ignoreIndex,
    labelSmoothing: options.labelSmoothing,
    lseSquareScale: options.lseSquareScale,
    softcap: options.softcap ?? 0,
    reduction: options.reduction,
    numItemsInBatch: options.numItemsInBatch ?? 0,
    returnZLoss: options.returnZLoss,
    returnTokenAccuracy: options.returnTokenAccuracy,
    returnPredictedTokens: options.returnPredictedTokens,
  };
}

/** The loss alone, or an object of what was asked for. */
export function crossEntropyResult(
  { loss, zLoss, tokenAccuracy, predictedTokens }: CrossEntropyResult,
  { returnZLoss, returnTokenAccuracy, returnPredictedTokens }: CrossEntropyAttrs,
): Tensor | CrossEntropyResult {
  if (!returnZLoss && !returnTokenAccuracy && !returnPredictedTokens) return loss;
  return {
    loss,
    ...(returnZLoss && { zLoss }),
    ...(returnTokenAccuracy && { tokenAccuracy }),
    ...(returnPredictedTokens && { predictedTokens }),
  };
}
