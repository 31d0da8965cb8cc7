import {
  add,
  cast,
  clipByValue,
  div,
  exp,
  greater,
  greaterEqual,
  less,
  log,
  logicalAnd,
  logicalOr,
  minimum,
  mul,
  neg,
  reshape,
  type Scalar,
  scalar,
  sigmoid,
  sub,
  sum,
  type Tensor,
  where,
} from '@tensorflow/tfjs-core';
import { flag, integer, number, oneOf, type ResolvedConfig, tensor } from '../../checks/config_schema.js';
import { fail } from '../../checks/errors.js';
import { perToken, stopGradient } from './functions.js';
import type { PolicyLogps } from './policy.js';

/** The types of the loss of {@link fusedLinearGrpo} and {@link grpoLoss}. */
export type GrpoLossType = 'grpo' | 'bnpo' | 'drGrpo' | 'dapo' | 'cispo' | 'sapo' | 'luspo' | 'vespo';

export const grpoOptions = {
  /** What logits are divided by, above 0. Default 1. */
  temperature: number(1, { min: 0, above: true }),
  /** What the divergence from the reference is multiplied by, at least 0. Default 0.04. */
  beta: number(0.04, { min: 0 }),
  /** Importance ratios are clipped to at least 1 − epsilonLow. Default 0.2. */
  epsilonLow: number(0.2, { min: 0 }),
  /** Importance ratios are clipped to at most 1 + epsilonHigh, for 'cispo' to at most epsilonHigh. Default 0.2. */
  epsilonHigh: number(0.2, { min: 0 }),
  /** 'grpo', 'bnpo', 'drGrpo', 'dapo', 'cispo', 'sapo', 'luspo' or 'vespo'. Default 'dapo'. */
  lossType: oneOf<GrpoLossType>(['grpo', 'bnpo', 'drGrpo', 'dapo', 'cispo', 'sapo', 'luspo', 'vespo'], 'dapo'),
  /** What 'drGrpo' divides by beside the number of sequences: the most tokens that a completion can have. */
  maxCompletionLength: integer(undefined, { min: 1 }),
  /** Whether importance ratios are those of a 'token', or of its whole 'sequence' (GSPO). Default 'token'. */
  importanceSamplingLevel: oneOf(['token', 'sequence'], 'token'),
  /** The temperature of 'sapo' for advantages above 0. Default 1. */
  sapoTemperaturePos: number(1, { min: 0, above: true }),
  /** The same for the others. Default 1.05. */
  sapoTemperatureNeg: number(1.05, { min: 0, above: true }),
  /** The largest importance ratio that is not clipped otherwise, above 0 (INTELLECT-2). Default: none. */
  delta: number(undefined, { min: 0, above: true }),
  /** Multiplies the divergence from the reference by the importance ratio (DeepSeek-V3.2). Default false. */
  useBiasCorrectionKl: flag(),
  /** The shape k of the weighting of 'vespo' for advantages of at least 0. Default 2. */
  vespoKPos: number(2),
  /** Its rate λ there. Default 3. */
  vespoLambdaPos: number(3),
  /** The shape k for advantages below 0. Default 3. */
  vespoKNeg: number(3),
  /** The rate λ there. Default 2. */
  vespoLambdaNeg: number(2),
  /** What 'dapo', 'cispo' and 'vespo' divide by in the place of the number of tokens that count, for gradient accumulation. */
  numItemsInBatch: number(undefined, { min: 0, above: true }),
  /** What each token's loss is multiplied by, for samples of another engine: `[B, T]`, `[B, 1]` or `[B]`. Not differentiable. */
  vllmIsRatio: tensor(['...']),
} as const;

/** What a loss of this kind returns. */
export type GrpoResult = {
  /** A scalar. */
  loss: Scalar;
  /** A scalar, unless `beta` is 0: the mean over the tokens of their divergence from the reference. */
  kl?: Tensor;
  /** A scalar: the share of tokens whose importance ratio was clipped. */
  clipRatio: Tensor;
};

export type GrpoConfig = Omit<ResolvedConfig<typeof grpoOptions>, 'vllmIsRatio'>;

/** @throws If an option does not go with the loss type, or lacks for it. */
export function checkGrpo(
  op: string,
  config: GrpoConfig,
  vllmIsRatio: Tensor | undefined,
  [rows, length]: number[],
): void {
  const { lossType, importanceSamplingLevel, maxCompletionLength } = config;
  if (lossType === 'drGrpo' && maxCompletionLength === undefined) {
    fail(op, `option 'maxCompletionLength'`, `given for the loss type 'drGrpo'`, undefined);
  }
  if (importanceSamplingLevel === 'sequence' && (lossType === 'cispo' || lossType === 'sapo' || lossType === 'vespo')) {
    fail(op, `option 'importanceSamplingLevel'`, `'token' for the loss type '${lossType}'`, importanceSamplingLevel);
  }
  if (vllmIsRatio) {
    const [first, second = 1, ...rest] = vllmIsRatio.shape;
    if (first !== rows || (second !== 1 && second !== length) || rest.length > 0) {
      fail(op, 'vllmIsRatio', `of shape [B, T] = [${rows},${length}], [B, 1] or [B]`, vllmIsRatio);
    }
  }
}

/**
 * Group relative policy optimization and its kin. With the importance ratio w = exp(log π − log π_old), advantages A, and the
 * estimate k3 = exp(log π_ref − log π) − (log π_ref − log π) − 1 of the divergence from the reference, each token's loss is
 *
 *     −min(w · A, clip(w) · A) + beta · k3
 *
 * with the first part as its type has it. Sequences or tokens are averaged as the type has it, too.
 */
export function grpo(
  { perTokenLogps: logps, refPerTokenLogps, oldPerTokenLogps, mask, advantages }: PolicyLogps,
  config: GrpoConfig,
  vllmIsRatio: Tensor | undefined,
): GrpoResult {
  const [rows, length] = mask.shape;
  const { beta, lossType, numItemsInBatch } = config;
  const now = stopGradient(logps);
  const logRatio = sub(logps, oldPerTokenLogps ?? now);
  const lengths = sum(mask, 1, true);
  const tokens = sum(mask);
  const advantage = reshape(advantages, [rows, 1]);
  const logWeight =
    config.importanceSamplingLevel === 'token' ? logRatio : perToken(sum(mul(logRatio, mask), 1, true), lengths);
  const ratio = exp(logWeight);
  const byEngine = vllmIsRatio && reshape(vllmIsRatio, [rows, vllmIsRatio.rank === 2 ? vllmIsRatio.shape[1]! : 1]);

  const { gain, clipped } = gainOf();
  let perTokenLoss = neg(byEngine && lossType !== 'vespo' ? mul(gain, byEngine) : gain);
  let divergence: Tensor | undefined;
  if (beta !== 0) {
    divergence = divergenceOf(refPerTokenLogps ?? now);
    perTokenLoss = add(perTokenLoss, mul(divergence, beta));
  }
  const meanOverTokens = (values: Tensor) => perToken(sum(mul(values, mask)), tokens);
  return {
    loss: lossOf(perTokenLoss) as Scalar,
    ...(divergence && { kl: meanOverTokens(divergence) }),
    clipRatio: clipped ? meanOverTokens(cast(clipped, 'float32')) : scalar(0),
  };

  /** exp(d) − d − 1 with d = log π_ref − log π, times the ratio w with `useBiasCorrectionKl`. */
  function divergenceOf(refLogps: Tensor): Tensor {
    const distance = sub(refLogps, logps);
    const k3 = () => sub(sub(exp(distance), distance), 1);
    if (!config.useBiasCorrectionKl) return k3();
    if (config.importanceSamplingLevel === 'sequence') return mul(k3(), ratio);
    // exp(d) · w is π_ref / π_old, a constant, whose slopes would have to cancel.
    return sub(exp(sub(refLogps, oldPerTokenLogps ?? now)), mul(add(distance, 1), ratio));
  }

  /** What a token is to gain, [B, T] or [B, 1], and whether its ratio was clipped. */
  function gainOf(): { gain: Tensor; clipped?: Tensor } {
    const { epsilonLow, epsilonHigh, delta } = config;
    const isGood = greater(advantage, 0);
    if (lossType === 'cispo') {
      const weight = stopGradient(minimum(ratio, epsilonHigh));
      return { gain: mul(mul(weight, advantage), logps), clipped: logicalAnd(greater(ratio, epsilonHigh), isGood) };
    }
    if (lossType === 'sapo') {
      const gate = (temperature: number) => mul(sigmoid(mul(sub(ratio, 1), temperature)), 4 / temperature);
      const gated = where(isGood, gate(config.sapoTemperaturePos), gate(config.sapoTemperatureNeg));
      return { gain: mul(gated, advantage) };
    }
    if (lossType === 'vespo') return { gain: mul(mul(stopGradient(vespoWeight()), advantage), logps) };
    const [low, high] = [1 - epsilonLow, 1 + epsilonHigh];
    const free = delta === undefined ? ratio : minimum(ratio, delta);
    return {
      gain: minimum(mul(free, advantage), mul(clipByValue(ratio, low, high), advantage)),
      clipped: logicalOr(logicalAnd(less(ratio, low), less(advantage, 0)), logicalAnd(greater(ratio, high), isGood)),
    };
  }

  /** φ(w) = exp(k · log w + λ · (1 − w)), which is 1 at 1, of a sequence's ratio w, [B, 1]. */
  function vespoWeight(): Tensor {
    const lowest = Math.log(1e-8);
    let logW = sum(mul(clipByValue(logRatio, -20, 20), mask), 1, true);
    if (byEngine) logW = add(logW, sum(clipByValue(log(byEngine), lowest, 20), 1, true));
    logW = clipByValue(logW, lowest, 20);
    const isGood = greaterEqual(advantage, 0);
    const choose = (good: number, bad: number) => where(isGood, scalar(good), scalar(bad));
    const k = choose(config.vespoKPos, config.vespoKNeg);
    const lambda = choose(Math.max(config.vespoLambdaPos, 1e-4), Math.max(config.vespoLambdaNeg, 1e-4));
    return exp(add(mul(k, logW), mul(lambda, sub(1, exp(logW)))));
  }

  function lossOf(values: Tensor): Tensor {
    const total = () => sum(mul(values, mask));
    switch (lossType) {
      case 'grpo':
      case 'sapo':
        return div(sum(perToken(sum(mul(values, mask), 1, true), lengths)), rows);
      case 'bnpo':
        return perToken(total(), tokens);
      case 'drGrpo':
        return div(total(), rows * config.maxCompletionLength!);
      case 'dapo':
      case 'cispo':
      case 'vespo':
        return numItemsInBatch === undefined ? perToken(total(), tokens) : div(total(), Math.max(numItemsInBatch, 1));
      case 'luspo':
        // Tokens that don't count do here, as in TRL.
        return div(sum(mul(values, lengths)), rows * (values.shape[1] === 1 ? 1 : length));
    }
  }
}
