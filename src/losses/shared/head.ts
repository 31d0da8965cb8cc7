import { add, mul, neg, scalar, sub, sum, type Tensor, type Tensor1D } from '@tensorflow/tfjs-core';
import { integer } from '../../checks/config_schema.js';
import type { Signature } from '../../checks/signature.js';
import { runDiscarding } from '../../engine/discarding_tape.js';
import { runKernel } from '../../engine/run_kernel.js';
import { FusedLinearScaledCrossEntropy } from '../../kernels/contracts/fused_linear_scaled_cross_entropy.js';
import { BiasGrad } from '../../kernels/contracts/linear.js';
import { chunkedLinearOptions } from '../../ops/shared/chunked_linear.js';
import { countsOf, perToken } from './functions.js';

/** The linear layer that a model ends with, and what goes into it. */
export interface Head {
  /** [B, T, H] */
  readonly x: Tensor;
  /** [V, H], or [H, V] with transposeWeight. */
  readonly weight: Tensor;
  /** [V] */
  readonly bias: Tensor | undefined;
}

/** The options of every loss of a head's log-probabilities. */
export const headOptions = {
  ...chunkedLinearOptions,
  /** Tokens with this label don't count. Default -100. */
  ignoreIndex: integer(-100),
} as const;

/** How a head is computed. */
export interface HeadAttrs {
  readonly transposeWeight: boolean;
  readonly chunkSize?: number | undefined;
  readonly ignoreIndex: number;
  /** Default 1. */
  readonly temperature?: number;
}

/** The dimensions of a weight of `outputs` × `inputs`, in one of its two layouts. */
export type Layout = <O extends string, I extends string>(outputs: O, inputs: I) => Array<O | I>;

/** A signature for either layout of its weights; which one, `transposeWeight` says. */
export function forBothLayouts<S extends Pick<Signature<never, never>, 'op'>>(make: (layout: Layout) => S) {
  const plain = make((outputs, inputs) => [outputs, inputs]);
  const transposed = make((outputs, inputs) => [inputs, outputs]);
  return (config: { transposeWeight?: boolean | undefined } | undefined): S =>
    config?.transposeWeight === true ? transposed : plain;
}

/** −log π of each token's label, [B, T], and the entropy of its distribution if asked for; 0 where it is ignored. */
export function tokenNll(
  head: Head,
  labels: Tensor,
  { transposeWeight, chunkSize = 0, ignoreIndex, temperature = 1 }: HeadAttrs,
  returnEntropy = false,
): { nll: Tensor; entropy: Tensor | undefined } {
  const attrs = { transposeWeight, chunkSize, ignoreIndex, temperature, returnEntropy };
  const { nll, entropy } = runKernel(FusedLinearScaledCrossEntropy, { ...head, labels }, attrs);
  return { nll, entropy };
}

/**
 * log π of sequences, [B]: sums over their tokens that count, or means with `averageLogProb`. Those of a reference are constants.
 * The log-ratios are log π − log π_ref; log π without a reference.
 */
export function sequenceLogps(
  head: Head,
  reference: Head | undefined,
  labels: Tensor,
  config: HeadAttrs & { readonly averageLogProb: boolean },
) {
  const lengths: Tensor1D = sum(countsOf(labels, config.ignoreIndex), 1);
  const ofSequences = (perTokenValues: Tensor) => {
    const total = sum(perTokenValues, 1);
    return (config.averageLogProb ? perToken(total, lengths) : total) as Tensor1D;
  };
  const { nll } = tokenNll(head, labels, config);
  const refNll = reference && runDiscarding(() => tokenNll(reference, labels, config).nll).value;
  const logps: Tensor1D = neg(ofSequences(nll));
  const refLogps: Tensor1D | undefined = refNll && neg(ofSequences(refNll));
  // Token by token, the two are alike and lose no digits.
  const logRatios = refNll ? ofSequences(sub(refNll, nll)) : logps;
  return { nll, lengths, logps, refLogps, logRatios };
}

/**
 * What sums up the logits of `tokens` tokens, those of x [B, T, H] that are not 0, as a constant. Logits need not exist for it, Σ x · weightᵀ is (Σ x) · (Σ weight);
 * and of all orders this one loses the fewest digits where they cancel.
 */
export function logitSums(
  { weight, bias }: Head,
  transposeWeight: boolean,
): (x: Tensor, tokens: Tensor | number) => Tensor {
  const totals = runDiscarding(() => ({
    weight: transposeWeight ? sum(weight, 1) : runKernel(BiasGrad, { dz: weight }, {}).dbias,
    bias: bias ? sum(bias) : scalar(0),
  })).value;
  return (x, tokens) =>
    runDiscarding(() => {
      const { dbias: total } = runKernel(BiasGrad, { dz: x }, {});
      return add(sum(mul(total, totals.weight)), mul(totals.bias, tokens));
    }).value;
}
