import { cast, neg, type Tensor, type Tensor1D, type Tensor2D } from '@tensorflow/tfjs-core';
import { tensor } from '../../checks/config_schema.js';
import { float32, int32 } from '../../checks/signature.js';
import { runDiscarding } from '../../engine/discarding_tape.js';
import { checkRange } from '../../ops/shared/label_range.js';
import { type Head, type HeadAttrs, type Layout, tokenNll } from './head.js';
import { referenceHead, referenceOptions } from './reference.js';

/** What a loss of a policy is computed from. */
export interface PolicyLogps {
  /** `[B, T]`: the log-probability of each selected token. */
  readonly perTokenLogps: Tensor2D;
  /** What the reference gives the tokens, as constants. Undefined without one. */
  readonly refPerTokenLogps: Tensor2D | undefined;
  /** What the policy gave the tokens when it selected them. Undefined if it is not given: it was the policy as it is. */
  readonly oldPerTokenLogps: Tensor2D | undefined;
  /** `[B, T]`: the entropy of each token's distribution, with `computeEntropy`. */
  readonly entropies: Tensor2D | undefined;
  /** `[B, T]`, float32: 1 for tokens that count, 0 for the others. */
  readonly mask: Tensor2D;
  /** `[B]` */
  readonly advantages: Tensor1D;
}

export const policyTensors = (layout: Layout) => ({
  x: float32('B', 'T', 'H'),
  weight: float32(...layout('V', 'H')),
  ...completionTensors,
});

/** What every loss of a policy is given of the completions. */
export const completionTensors = {
  selectedTokenIds: int32('B', 'T'),
  attentionMask: int32('B', 'T'),
  advantages: float32('B'),
} as const;

/** The log-probabilities that may be given. */
export const givenLogpsOptions = {
  /** What a reference model gives the tokens, `[B, T]`. Not differentiable. */
  refPerTokenLogps: tensor(['B', 'T']),
  /** What the policy gave the tokens when it selected them, `[B, T]`. By default what it gives them now. Not differentiable. */
  oldPerTokenLogps: tensor(['B', 'T']),
} as const;

export const policyReferenceOptions = (layout: Layout) =>
  ({ ...referenceOptions(layout), ...givenLogpsOptions }) as const;

/** What a call of a loss of a policy comes with. */
export interface PolicyCall {
  readonly op: string;
  readonly tensors: Head &
    Completions & { readonly [K in keyof ReturnType<typeof policyReferenceOptions>]: Tensor | undefined };
  readonly config: HeadAttrs & { readonly computeEntropy?: boolean };
  readonly sizes: { readonly V: number };
}

interface Completions {
  readonly selectedTokenIds: Tensor;
  readonly attentionMask: Tensor;
  readonly advantages: Tensor;
}

type GivenLogps = { readonly [K in keyof typeof givenLogpsOptions]: Tensor | undefined };

/**
 * A loss of a policy.
 *
 * @param lossOf The loss, a scalar, with numbers of its own beside it if it likes.
 */
export function policy<R extends { loss: Tensor }>(
  { op, tensors, config, sizes }: PolicyCall,
  lossOf: (logps: PolicyLogps) => R,
): R {
  const { x, weight, bias, selectedTokenIds, refPerTokenLogps } = tensors;
  const reference = referenceHead(op, tensors, { refPerTokenLogps });
  checkCompletions(op, tensors, sizes.V, config.ignoreIndex);
  const { nll, entropy } = tokenNll({ x, weight, bias }, selectedTokenIds, config, config.computeEntropy);
  const refLogps = reference && runDiscarding(() => neg(tokenNll(reference, selectedTokenIds, config).nll)).value;
  return lossOf(policyLogps(nll, { ...tensors, refPerTokenLogps: refLogps ?? refPerTokenLogps }, entropy));
}

/** What a loss of a policy is computed from, by −log π of each token. */
export const policyLogps = (
  nll: Tensor,
  { attentionMask, advantages, refPerTokenLogps, oldPerTokenLogps }: Completions & GivenLogps,
  entropies?: Tensor,
): PolicyLogps => ({
  perTokenLogps: neg(nll as Tensor2D),
  refPerTokenLogps: refPerTokenLogps as Tensor2D | undefined,
  oldPerTokenLogps: oldPerTokenLogps as Tensor2D | undefined,
  entropies: entropies as Tensor2D | undefined,
  mask: cast(attentionMask as Tensor2D, 'float32'),
  advantages: advantages as Tensor1D,
});

/** @throws If there is a token that does not exist, or a mask of something else than 0 and 1, as far as JavaScript knows. */
export function checkCompletions(
  op: string,
  { selectedTokenIds, attentionMask }: Completions,
  vocabulary: number,
  ignoreIndex: number,
): void {
  checkRange(op, 'selectedTokenIds', selectedTokenIds, vocabulary, ignoreIndex);
  checkRange(op, 'attentionMask', attentionMask, 2);
}
