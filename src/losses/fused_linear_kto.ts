import { mul, sigmoid, sub, type Tensor, type TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, number, tensor } from '../checks/config_schema.js';
import { fail } from '../checks/errors.js';
import { Signature } from '../checks/signature.js';
import { mean } from './shared/functions.js';
import { forBothLayouts } from './shared/head.js';
import {
  sequenceReferenceOptions,
  sumsOfBoth,
  type UnpairedPreferenceResult,
  unpairedPreference,
  unpairedPreferenceOptions,
  unpairedPreferenceTensors,
} from './shared/unpaired_preference.js';

const op = 'fusedLinearKto';

const ownOptions = {
  /** How strongly the model is held to the reference, above 0. Default 0.1. */
  beta: number(0.1, { min: 0, above: true }),
  /** How far the model is from the reference, a scalar or `[B]`. Default 0. Not differentiable. */
  kl: tensor(['...']),
} as const;

const signatureOf = forBothLayouts(
  (layout) =>
    new Signature(op, unpairedPreferenceTensors(layout), {
      ...unpairedPreferenceOptions,
      ...sequenceReferenceOptions(layout),
      ...ownOptions,
    }),
);

/** Options of {@link fusedLinearKto}. */
export interface FusedLinearKtoConfig
  extends ConfigOf<typeof unpairedPreferenceOptions>,
    ConfigOf<ReturnType<typeof sequenceReferenceOptions>>,
    ConfigOf<typeof ownOptions> {}

/** What {@link fusedLinearKto} returns. */
export type FusedLinearKtoResult = UnpairedPreferenceResult & {
  /** A scalar: the sum of beta · the log-ratio to the reference, of the sequences that are wanted. */
  chosenRewardsSum: Tensor;
  /** The same of the others. */
  rejectedRewardsSum: Tensor;
};

/**
 * Kahneman-Tversky optimization, averaged over the sequences, with the log-ratios `r = log π − log π_ref`:
 *
 *     1 − σ(±beta · (r − kl)),    + for sequences that are wanted and − for the others
 *
 * Ethayarajh et al., "KTO: Model Alignment as Prospect Theoretic Optimization" (2024); `LigerFusedLinearKTOLoss` in Liger-Kernel.
 *
 * @param x Hidden states `[B, T, H]`.
 * @param weight The output layer `[V, H]`, or `[H, V]` with `transposeWeight`.
 * @param labels `[B, T]`, int32, in [0, V) or `ignoreIndex`.
 * @param preferenceLabels `[B]`, int32: 1 for sequences that are wanted, 0 for the others.
 * @returns The loss, and numbers to watch beside it. The loss is differentiable in x, weight and bias.
 * @throws If a part of the reference is missing or given twice.
 */
export function fusedLinearKto(
  x: Tensor | TensorLike,
  weight: Tensor | TensorLike,
  labels: Tensor | TensorLike,
  preferenceLabels: Tensor | TensorLike,
  config?: FusedLinearKtoConfig,
): FusedLinearKtoResult {
  return signatureOf(config).call({ x, weight, labels, preferenceLabels }, config, (call) => {
    const { beta } = call.config;
    const {
      kl,
      labels: {
        shape: [rows],
      },
    } = call.tensors;
    if (kl && kl.rank > 0 && (kl.rank > 1 || kl.size !== rows))
      fail(op, 'kl', `a scalar or of shape [B] = [${rows}]`, kl);
    return unpairedPreference({ op, ...call }, ({ logRatios, isChosen }) => {
      const sign = sub(mul(isChosen, 2), 1);
      const gain = mul(mul(kl ? sub(logRatios, kl) : logRatios, beta), sign);
      const [chosenRewardsSum, rejectedRewardsSum] = sumsOfBoth(mul(logRatios, beta), isChosen);
      // 1 − σ(gain)
      return { loss: mean(sigmoid(mul(gain, -1))), chosenRewardsSum, rejectedRewardsSum };
    });
  });
}
