import { mul, neg, sub, type Tensor, type TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, number } from '../checks/config_schema.js';
import { Signature } from '../checks/signature.js';
import { mean, smoothedLogSigmoid } from './shared/functions.js';
import { forBothLayouts } from './shared/head.js';
import {
  nllOptions,
  type PreferenceRewards,
  preference,
  preferenceOptions,
  preferenceTensors,
} from './shared/preference.js';

const op = 'fusedLinearSimpo';

const ownOptions = {
  /** What log-probabilities are multiplied by, above 0. Default 0.1. */
  beta: number(0.1, { min: 0, above: true }),
  /** The margin by which a chosen sequence should win. Default 0.5. */
  gamma: number(0.5),
  /** The share of preferences that are the wrong way round, in [0, 1]. Default 0. */
  labelSmoothing: number(0, { min: 0, max: 1 }),
  ...nllOptions(true),
} as const;

const signatureOf = forBothLayouts(
  (layout) => new Signature(op, preferenceTensors(layout), { ...preferenceOptions, ...ownOptions }),
);

/** Options of {@link fusedLinearSimpo}. */
export interface FusedLinearSimpoConfig extends ConfigOf<typeof preferenceOptions>, ConfigOf<typeof ownOptions> {}

/**
 * Simple preference optimization, averaged over the pairs, of log-probabilities that are means over a sequence's tokens, plus the
 * negative log-likelihood of the chosen sequences:
 *
 *     −log σ(beta · (log π(chosen) − log π(rejected)) − gamma) + alpha · nllLoss
 *
 * Meng et al., "SimPO: Simple Preference Optimization with a Reference-Free Reward" (2024); `LigerFusedLinearSimPOLoss` in
 * Liger-Kernel.
 *
 * @param x Hidden states `[2B, T, H]`: the chosen sequences, and after them the rejected ones in the same order.
 * @param weight The output layer `[V, H]`, or `[H, V]` with `transposeWeight`.
 * @param labels `[2B, T]`, int32, in [0, V) or `ignoreIndex`.
 * @returns The loss, and numbers to watch beside it. The loss is differentiable in x, weight and bias.
 * @throws If x has an odd number of rows.
 */
export function fusedLinearSimpo(
  x: Tensor | TensorLike,
  weight: Tensor | TensorLike,
  labels: Tensor | TensorLike,
  config?: FusedLinearSimpoConfig,
): PreferenceRewards {
  return signatureOf(config).call({ x, weight, labels }, config, ({ config: options, ...call }) => {
    const { beta, gamma, labelSmoothing } = options;
    const settings = { op, ...call, config: { ...options, averageLogProb: true } };
    return preference(settings, ({ chosenLogps, rejectedLogps }) => {
      const [chosenRewards, rejectedRewards] = [mul(chosenLogps, beta), mul(rejectedLogps, beta)];
      const margin = sub(sub(chosenRewards, rejectedRewards), gamma);
      return { loss: neg(mean(smoothedLogSigmoid(margin, labelSmoothing))), chosenRewards, rejectedRewards };
    });
  });
}
