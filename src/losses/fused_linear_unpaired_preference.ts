import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import type { ConfigOf } from '../checks/config_schema.js';
import { fail } from '../checks/errors.js';
import { Signature } from '../checks/signature.js';
import { forBothLayouts } from './shared/head.js';
import { checkedLoss } from './shared/own_loss.js';
import {
  sequenceReferenceOptions,
  type UnpairedPreferenceLogps,
  type UnpairedPreferenceResult,
  unpairedPreference,
  unpairedPreferenceOptions,
  unpairedPreferenceTensors,
} from './shared/unpaired_preference.js';

const op = 'fusedLinearUnpairedPreference';

const signatureOf = forBothLayouts(
  (layout) =>
    new Signature(op, unpairedPreferenceTensors(layout), {
      ...unpairedPreferenceOptions,
      ...sequenceReferenceOptions(layout),
    }),
);

/** Options of {@link fusedLinearUnpairedPreference}. */
export interface FusedLinearUnpairedPreferenceConfig
  extends ConfigOf<typeof unpairedPreferenceOptions>,
    ConfigOf<ReturnType<typeof sequenceReferenceOptions>> {}

/**
 * A loss of your own over sequences that are judged one by one as wanted or not, from their log-probabilities under a linear
 * layer's logits. The logits exist for a chunk of tokens at a time, in the backward pass again.
 *
 * `LigerFusedLinearUnpairedPreferenceBase` in Liger-Kernel.
 *
 * @param x Hidden states `[B, T, H]`.
 * @param weight The output layer `[V, H]`, or `[H, V]` with `transposeWeight`.
 * @param labels `[B, T]`, int32, in [0, V) or `ignoreIndex`.
 * @param preferenceLabels `[B]`, int32: 1 for sequences that are wanted, 0 for the others.
 * @param lossOf Given log-probabilities of sequences, `[B]`, returns the loss, a scalar, or an object of tensors with it as `loss`.
 *     It is written in tfjs's ops, which the tape records.
 * @returns What `lossOf` returned, and sums with it. The loss is differentiable in x, weight and bias.
 * @throws If a part of the reference is missing or given twice, or `lossOf` returns no scalar.
 */
export function fusedLinearUnpairedPreference<R extends Record<string, Tensor>>(
  x: Tensor | TensorLike,
  weight: Tensor | TensorLike,
  labels: Tensor | TensorLike,
  preferenceLabels: Tensor | TensorLike,
  lossOf: (logps: UnpairedPreferenceLogps) => Tensor | (R & { loss: Tensor }),
  config?: FusedLinearUnpairedPreferenceConfig,
): UnpairedPreferenceResult & R {
  if (typeof lossOf !== 'function') fail(op, 'lossOf', 'a function', lossOf);
  const result = signatureOf(config).call({ x, weight, labels, preferenceLabels }, config, (call) =>
    unpairedPreference({ op, ...call }, (logps) => checkedLoss(op, lossOf(logps))),
  );
  return result as UnpairedPreferenceResult & R;
}
