import { add, div, mul, type Scalar, scalar, slice, sub, sum, type Tensor, type Tensor1D } from '@tensorflow/tfjs-core';
import { flag, number, tensor } from '../../checks/config_schema.js';
import { fail } from '../../checks/errors.js';
import { float32, int32 } from '../../checks/signature.js';
import { checkRange } from '../../ops/shared/label_range.js';
import { countsOf, perToken } from './functions.js';
import { type Head, type HeadAttrs, headOptions, type Layout, logitSums, sequenceLogps, tokenNll } from './head.js';
import { referenceHead, referenceOptions } from './reference.js';

/** What a loss of preferences is computed from: log-probabilities of the sequences of each pair, all `[B]`. */
export interface PreferenceLogps {
  /** The log-probability of each chosen sequence: the sum over its tokens that count, or their mean with `averageLogProb`. */
  readonly chosenLogps: Tensor1D;
  /** The same of the rejected ones. */
  readonly rejectedLogps: Tensor1D;
  /** What the reference gives the chosen sequences, as constants. Undefined without one. */
  readonly refChosenLogps: Tensor1D | undefined;
  /** The same of the rejected ones. */
  readonly refRejectedLogps: Tensor1D | undefined;
  /** log π − log π_ref of the chosen sequences; log π without a reference. */
  readonly chosenLogRatios: Tensor1D;
  /** The same of the rejected ones. */
  readonly rejectedLogRatios: Tensor1D;
  /** How many tokens of each chosen sequence count. */
  readonly chosenLengths: Tensor1D;
  /** The same of the rejected ones. */
  readonly rejectedLengths: Tensor1D;
}

/** What every loss of preferences returns. */
export type PreferenceResult = {
  /** A scalar: what the loss function returned, with `computeNllLoss` plus `alpha · nllLoss`. */
  loss: Scalar;
  /** `[B]` */
  chosenLogps: Tensor;
  /** `[B]` */
  rejectedLogps: Tensor;
  /** A scalar: the mean of the logits of all tokens of the chosen sequences. Not differentiable. */
  chosenLogitsMean: Tensor;
  /** The same of the rejected ones. */
  rejectedLogitsMean: Tensor;
  /** A scalar: the mean over the tokens of the chosen sequences of their negative log-likelihood; 0 unless it is computed. */
  nllLoss: Tensor;
};

/** What losses return that have a reward of each sequence. */
export type PreferenceRewards = PreferenceResult & {
  /** `[B]`: beta · the log-probability of each chosen sequence, or of its ratio to the reference's. */
  chosenRewards: Tensor;
  /** The same of the rejected ones. */
  rejectedRewards: Tensor;
};

export const preferenceTensors = (layout: Layout) => ({
  x: float32('2B', 'T', 'H'),
  weight: float32(...layout('V', 'H')),
  labels: int32('2B', 'T'),
});

/** The options of every loss of preferences. */
export const preferenceOptions = {
  ...headOptions,
  /** The labels of the negative log-likelihood, `[2B, T]`, int32, if they are others. By default the labels. */
  nllLabels: tensor(['2B', 'T'], 'int32'),
} as const;

/** The negative log-likelihood that is added to a loss. */
export const nllOptions = (isComputed: boolean) =>
  ({
    /** Adds the negative log-likelihood of the chosen sequences. */
    computeNllLoss: flag(isComputed),
    /** What it is multiplied by. Default 1. */
    alpha: number(1),
  }) as const;

/** The options of losses of preferences that know a reference model. */
export const pairReferenceOptions = (layout: Layout) =>
  ({
    ...referenceOptions(layout, '2B'),
    /** In the place of `refInput`: what the reference gives the chosen sequences, `[B]`. Not differentiable. */
    refChosenLogps: tensor(['B']),
    /** The same of the rejected ones. */
    refRejectedLogps: tensor(['B']),
  }) as const;

/** What a call of a loss of preferences comes with. */
export interface PreferenceCall {
  readonly op: string;
  readonly tensors: Head & {
    readonly labels: Tensor;
    readonly nllLabels: Tensor | undefined;
  } & { readonly [K in keyof ReturnType<typeof pairReferenceOptions>]?: Tensor | undefined };
  readonly config: HeadAttrs & {
    readonly computeNllLoss: boolean;
    readonly alpha: number;
    readonly averageLogProb: boolean;
  };
  readonly sizes: { readonly V: number };
}

/**
 * A loss of preferences.
 *
 * @param lossOf The loss, a scalar, with numbers of its own beside it if it likes.
 */
export function preference<R extends { loss: Tensor }>(
  { op, tensors, config, sizes }: PreferenceCall,
  lossOf: (logps: PreferenceLogps) => R,
): PreferenceResult & R {
  const { x, weight, bias, labels, nllLabels, refChosenLogps, refRejectedLogps } = tensors;
  const { ignoreIndex, transposeWeight } = config;
  const [rows, length] = labels.shape as [number, number];
  if (rows % 2 === 1) fail(op, 'x', 'of an even number of rows, the chosen sequences and then the rejected ones', x);
  const pairs = rows / 2;
  const given = { refChosenLogps, refRejectedLogps };
  for (const [name, logps] of Object.entries(given)) {
    if (logps && logps.size !== pairs) fail(op, name, `of shape [B] = [${pairs}], half of x's rows`, logps);
  }
  const { refInput, refWeight, refBias } = tensors;
  const reference = referenceHead(op, { refInput, refWeight, refBias }, given);
  checkRange(op, 'labels', labels, sizes.V, ignoreIndex);
  if (nllLabels) checkRange(op, 'nllLabels', nllLabels, sizes.V, ignoreIndex);

  const chosenOf = (values: Tensor1D) => slice(values, 0, pairs);
  const rejectedOf = (values: Tensor1D) => slice(values, pairs, pairs);
  const head = { x, weight, bias };
  const { nll, lengths, logps, refLogps, logRatios } = sequenceLogps(head, reference, labels, config);
  const [chosenLogps, rejectedLogps] = [chosenOf(logps), rejectedOf(logps)];
  const over = (ratios: Tensor1D, given: Tensor | undefined) => (given ? sub<Tensor1D>(ratios, given) : ratios);
  const result = lossOf({
    chosenLogps,
    rejectedLogps,
    refChosenLogps: refLogps ? chosenOf(refLogps) : (refChosenLogps as Tensor1D | undefined),
    refRejectedLogps: refLogps ? rejectedOf(refLogps) : (refRejectedLogps as Tensor1D | undefined),
    chosenLogRatios: over(chosenOf(logRatios), refChosenLogps),
    rejectedLogRatios: over(rejectedOf(logRatios), refRejectedLogps),
    chosenLengths: chosenOf(lengths),
    rejectedLengths: rejectedOf(lengths),
  });

  const nllLoss = config.computeNllLoss ? chosenNll() : scalar(0);
  const logitSum = logitSums(head, transposeWeight);
  const logitsMean = (first: number) => div(logitSum(slice(x, first, pairs), pairs * length), pairs * length * sizes.V);
  return {
    ...result,
    loss: (config.computeNllLoss ? add(result.loss, mul(nllLoss, config.alpha)) : result.loss) as Scalar,
    chosenLogps,
    rejectedLogps,
    chosenLogitsMean: logitsMean(0),
    rejectedLogitsMean: logitsMean(pairs),
    nllLoss,
  };

  /** The mean over the tokens of the chosen sequences. */
  function chosenNll(): Tensor {
    if (!nllLabels) return perToken(sum(slice(nll, 0, pairs)), sum(chosenOf(lengths)));
    const labelsOfChosen = slice(nllLabels, 0, pairs);
    const chosen = tokenNll({ ...head, x: slice(x, 0, pairs) }, labelsOfChosen, config).nll;
    return perToken(sum(chosen), sum(countsOf(labelsOfChosen, ignoreIndex)));
  }
}
