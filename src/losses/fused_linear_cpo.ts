import { mul, neg, sub, type Tensor, type TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, flag, number } from '../checks/config_schema.js';
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

const op = 'fusedLinearCpo';

const ownOptions = {
  /** What log-probabilities are multiplied by, above 0. Default 0.1. */
  beta: number(0.1, { min: 0, above: true }),
  /** The share of preferences that are the wrong way round, in [0, 1]. Default 0. */
  labelSmoothing: number(0, { min: 0, max: 1 }),
  ...nllOptions(true),
  /** Takes the mean of the log-probabilities of a sequence's tokens instead of their sum. Default false. */
  averageLogProb: flag(),
} as const;

const signatureOf = forBothLayouts(
  (layout) => new Signature(op, preferenceTensors(layout), { ...preferenceOptions, ...ownOptions }),
);

/** Options of {@link fusedLinearCpo}. */
export interface FusedLinearCpoConfig extends ConfigOf<typeof preferenceOptions>, ConfigOf<typeof ownOptions> {}

/**
 * Contrastive preference optimization, averaged over the pairs, plus the negative log-likelihood of the chosen sequences:
 *
 *     −log σ(beta · (log π(chosen) − log π(rejected))) + alpha · nllLoss
 *
 * Xu et al., "Contrastive Preference Optimization" (2024); `LigerFusedLinearCPOLoss` in Liger-Kernel.
 *
 * @param x Hidden states `[2B, T, H]`: the chosen sequences, and after them the rejected ones in the same order.
 * @param weight The output layer `[V, H]`, or `[H, V]` with `transposeWeight`.
 * @param labels `[2B, T]`, int32, in [0, V) or `ignoreIndex`.
 * @returns The loss, and numbers to watch beside it. The loss is differentiable in x, weight and bias.
 * @throws If x has an odd number of rows.
 */
export function fusedLinearCpo(
  x: Tensor | TensorLike,
  weight: Tensor | TensorLike,
  labels: Tensor | TensorLike,
  config?: FusedLinearCpoConfig,
): PreferenceRewards {
  return signatureOf(config).call({ x, weight, labels }, config, (call) => {
    const { beta, labelSmoothing } = call.config;
    return preference({ op, ...call }, ({ chosenLogps, rejectedLogps }) => {
      const [chosenRewards, rejectedRewards] = [mul(chosenLogps, beta), mul(rejectedLogps, beta)];
      const margin = sub(chosenRewards, rejectedRewards);
      return { loss: neg(mean(smoothedLogSigmoid(margin, labelSmoothing))), chosenRewards, rejectedRewards };
    });
  });
}
