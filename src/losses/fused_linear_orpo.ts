import { mul, sub, type Tensor, type TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, flag, number } from '../checks/config_schema.js';
import { Signature } from '../checks/signature.js';
import { log1mExp, logSigmoid, mean } from './shared/functions.js';
import { forBothLayouts } from './shared/head.js';
import { type PreferenceRewards, preference, preferenceOptions, preferenceTensors } from './shared/preference.js';

const op = 'fusedLinearOrpo';

const ownOptions = {
  /** What the odds ratio's part of the loss is multiplied by. Default 0.1. */
  beta: number(0.1),
  /** Adds the negative log-likelihood of the chosen sequences. Default true. */
  computeNllLoss: flag(true),
} as const;

const signatureOf = forBothLayouts(
  (layout) => new Signature(op, preferenceTensors(layout), { ...preferenceOptions, ...ownOptions }),
);

/** Options of {@link fusedLinearOrpo}. */
export interface FusedLinearOrpoConfig extends ConfigOf<typeof preferenceOptions>, ConfigOf<typeof ownOptions> {}

/** What {@link fusedLinearOrpo} returns. */
export type FusedLinearOrpoResult = PreferenceRewards & {
  /** A scalar: the mean of log σ of the log odds ratio. */
  logOddsRatio: Tensor;
  /** A scalar: the mean of the log odds ratio. */
  logOddsChosen: Tensor;
};

/**
 * Odds ratio preference optimization, averaged over the pairs, with the log-odds of sequences whose log-probabilities are means
 * over their tokens:
 *
 *     nllLoss − beta · log σ(log odds(chosen) − log odds(rejected)),    odds(y) = π(y) / (1 − π(y))
 *
 * Hong et al., "ORPO: Monolithic Preference Optimization without Reference Model" (2024); `LigerFusedLinearORPOLoss` in
 * Liger-Kernel.
 *
 * @param x Hidden states `[2B, T, H]`: the chosen sequences, and after them the rejected ones in the same order.
 * @param weight The output layer `[V, H]`, or `[H, V]` with `transposeWeight`.
 * @param labels `[2B, T]`, int32, in [0, V) or `ignoreIndex`.
 * @returns The loss, and numbers to watch beside it. The loss is differentiable in x, weight and bias.
 * @throws If x has an odd number of rows.
 */
export function fusedLinearOrpo(
  x: Tensor | TensorLike,
  weight: Tensor | TensorLike,
  labels: Tensor | TensorLike,
  config?: FusedLinearOrpoConfig,
): FusedLinearOrpoResult {
  return signatureOf(config).call({ x, weight, labels }, config, ({ config: options, ...call }) => {
    const { beta } = options;
    const settings = { op, ...call, config: { ...options, alpha: 1, averageLogProb: true } };
    return preference(settings, ({ chosenLogps, rejectedLogps }) => {
      const logOdds = (logps: Tensor) => sub(logps, log1mExp(logps));
      const ratio = sub(logOdds(chosenLogps), logOdds(rejectedLogps));
      const logOddsRatio = mean(logSigmoid(ratio));
      return {
        loss: mul(logOddsRatio, -beta),
        chosenRewards: mul(chosenLogps, beta),
        rejectedRewards: mul(rejectedLogps, beta),
        logOddsRatio,
        logOddsChosen: mean(ratio),
      };
    });
  });
}
