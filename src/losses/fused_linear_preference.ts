import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, flag } from '../checks/config_schema.js';
import { fail } from '../checks/errors.js';
import { Signature } from '../checks/signature.js';
import { forBothLayouts } from './shared/head.js';
import { checkedLoss } from './shared/own_loss.js';
import {
  nllOptions,
  type PreferenceLogps,
  type PreferenceResult,
  pairReferenceOptions,
  preference,
  preferenceOptions,
  preferenceTensors,
} from './shared/preference.js';

const op = 'fusedLinearPreference';

const ownOptions = {
  ...nllOptions(true),
  /** Takes the mean of the log-probabilities of a sequence's tokens instead of their sum. Default true. */
  averageLogProb: flag(true),
} as const;

const signatureOf = forBothLayouts(
  (layout) =>
    new Signature(op, preferenceTensors(layout), {
      ...preferenceOptions,
      ...pairReferenceOptions(layout),
      ...ownOptions,
    }),
);

/** Options of {@link fusedLinearPreference}. */
export interface FusedLinearPreferenceConfig
  extends ConfigOf<typeof preferenceOptions>,
    ConfigOf<ReturnType<typeof pairReferenceOptions>>,
    ConfigOf<typeof ownOptions> {}

/**
 * A loss of your own over pairs of sequences, one of which is preferred, from their log-probabilities under a linear layer's
 * logits. The logits exist for a chunk of tokens at a time, in the backward pass again.
 *
 *     // A hinge on the margin
 *     fusedLinearPreference(x, weight, labels, ({ chosenLogps, rejectedLogps }) =>
 *       tf.mean(tf.relu(tf.sub(1, tf.sub(chosenLogps, rejectedLogps)))),
 *     );
 *
 * `LigerFusedLinearPreferenceBase` in Liger-Kernel.
 *
 * @param x Hidden states `[2B, T, H]`: the chosen sequences, and after them the rejected ones in the same order.
 * @param weight The output layer `[V, H]`, or `[H, V]` with `transposeWeight`.
 * @param labels `[2B, T]`, int32, in [0, V) or `ignoreIndex`.
 * @param lossOf Given log-probabilities of sequences, `[B]`, returns the loss, a scalar, or an object of tensors with it as `loss`.
 *     It is written in tfjs's ops, which the tape records.
 * @returns What `lossOf` returned, and with it the log-probabilities. The loss is differentiable in x, weight and bias.
 * @throws If x has an odd number of rows, a part of the reference is missing or given twice, or `lossOf` returns no scalar.
 */
export function fusedLinearPreference<R extends Record<string, Tensor>>(
  x: Tensor | TensorLike,
  weight: Tensor | TensorLike,
  labels: Tensor | TensorLike,
  lossOf: (logps: PreferenceLogps) => Tensor | (R & { loss: Tensor }),
  config?: FusedLinearPreferenceConfig,
): PreferenceResult & R {
  if (typeof lossOf !== 'function') fail(op, 'lossOf', 'a function', lossOf);
  const result = signatureOf(config).call({ x, weight, labels }, config, (call) =>
    preference({ op, ...call }, (logps) => checkedLoss(op, lossOf(logps))),
  );
  return result as PreferenceResult & R;
}
