import { cast, equal, mul, reshape, type Scalar, sub, sum, type Tensor, type Tensor1D } from '@tensorflow/tfjs-core';
import { flag, tensor } from '../../checks/config_schema.js';
import { float32, int32 } from '../../checks/signature.js';
import { checkRange } from '../../ops/shared/label_range.js';
import { type Head, type HeadAttrs, headOptions, type Layout, logitSums, sequenceLogps } from './head.js';
import { referenceHead, referenceOptions } from './reference.js';

/** What a loss of judged sequences is computed from, all `[B]`. */
export interface UnpairedPreferenceLogps {
  /** The log-probability of each sequence: the sum over its tokens that count, or their mean with `averageLogProb`. */
  readonly logps: Tensor1D;
  /** What the reference gives the sequences, as constants. Undefined without one. */
  readonly refLogps: Tensor1D | undefined;
  /** log π − log π_ref of each sequence; log π without a reference. */
  readonly logRatios: Tensor1D;
  /** 1 for sequences that are wanted, 0 for the others. */
  readonly isChosen: Tensor1D;
  /** How many tokens of each sequence count. */
  readonly lengths: Tensor1D;
}

/** What every loss of judged sequences returns. Its numbers are scalars. */
export type UnpairedPreferenceResult = {
  /** What the loss function returned. */
  loss: Scalar;
  /** The sum of the log-probabilities of the sequences that are wanted. */
  chosenLogpsSum: Tensor;
  /** The same of the others. */
  rejectedLogpsSum: Tensor;
  /** The sum of the logits of the sequences that are wanted. Not differentiable. */
  chosenLogitsSum: Tensor;
  /** The same of the others. */
  rejectedLogitsSum: Tensor;
};

export const unpairedPreferenceTensors = (layout: Layout) => ({
  x: float32('B', 'T', 'H'),
  weight: float32(...layout('V', 'H')),
  labels: int32('B', 'T'),
  preferenceLabels: int32('B'),
});

/** The options of every loss of judged sequences. */
export const unpairedPreferenceOptions = {
  ...headOptions,
  /** Takes the mean of the log-probabilities of a sequence's tokens instead of their sum. Default false. */
  averageLogProb: flag(),
} as const;

/** Those of a reference model. */
export const sequenceReferenceOptions = (layout: Layout) =>
  ({
    ...referenceOptions(layout),
    /** In the place of `refInput`: what the reference gives the sequences, `[B]`. Not differentiable. */
    refLogps: tensor(['B']),
  }) as const;

/** What a call of a loss of judged sequences comes with. */
export interface UnpairedPreferenceCall {
  readonly op: string;
  readonly tensors: Head & {
    readonly labels: Tensor;
    readonly preferenceLabels: Tensor;
  } & { readonly [K in keyof ReturnType<typeof sequenceReferenceOptions>]: Tensor | undefined };
  readonly config: HeadAttrs & { readonly averageLogProb: boolean };
  readonly sizes: { readonly V: number };
}

/**
 * A loss of sequences that are judged one by one.
 *
 * @param lossOf The loss, a scalar, with numbers of its own beside it if it likes.
 */
export function unpairedPreference<R extends { loss: Tensor }>(
  { op, tensors, config, sizes }: UnpairedPreferenceCall,
  lossOf: (logps: UnpairedPreferenceLogps) => R,
): UnpairedPreferenceResult & R {
  const { x, weight, bias, labels, preferenceLabels, refLogps: given } = tensors;
  const reference = referenceHead(op, tensors, { refLogps: given });
  checkRange(op, 'labels', labels, sizes.V, config.ignoreIndex);
  checkRange(op, 'preferenceLabels', preferenceLabels, 2);

  const head = { x, weight, bias };
  const { lengths, logps, refLogps, logRatios } = sequenceLogps(head, reference, labels, config);
  const isChosen = cast(equal(preferenceLabels, 1), 'float32') as Tensor1D;
  const result = lossOf({
    logps,
    refLogps: refLogps ?? (given as Tensor1D | undefined),
    logRatios: given ? sub(logRatios, given) : logRatios,
    isChosen,
    lengths,
  });
  const [chosenLogpsSum, rejectedLogpsSum] = sumsOfBoth(logps, isChosen);
  const logitSum = logitSums(head, config.transposeWeight);
  /** Of the sequences for which `counts`, [B], is 1. */
  const logitsSum = (counts: Tensor) =>
    logitSum(mul(x, reshape(counts, [-1, 1, 1])), mul(sum(counts), labels.shape[1]!));
  return {
    ...result,
    loss: result.loss as Scalar,
    chosenLogpsSum,
    rejectedLogpsSum,
    chosenLogitsSum: logitsSum(isChosen),
    rejectedLogitsSum: logitsSum(sub(1, isChosen)),
  };
}

/** The sums of what sequences have, [B], over those that are wanted and over the others. */
export const sumsOfBoth = (values: Tensor, isChosen: Tensor): [Tensor, Tensor] => [
  sum(mul(values, isChosen)),
  sum(mul(values, sub(1, isChosen))),
];
