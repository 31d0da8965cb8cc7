import type { Scalar, Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, flag, number } from '../checks/config_schema.js';
import { fail } from '../checks/errors.js';
import { Signature } from '../checks/signature.js';
import { forBothLayouts, headOptions } from './shared/head.js';
import { checkedLoss } from './shared/own_loss.js';
import { type PolicyLogps, policy, policyReferenceOptions, policyTensors } from './shared/policy.js';

const op = 'fusedLinearPolicy';

const options = {
  ...headOptions,
  /** What logits are divided by, above 0. Default 1. */
  temperature: number(1, { min: 0, above: true }),
  /** Gives `lossOf` the entropy of each token's distribution, too. Default false. */
  computeEntropy: flag(),
} as const;

const signatureOf = forBothLayouts(
  (layout) => new Signature(op, policyTensors(layout), { ...options, ...policyReferenceOptions(layout) }),
);

/** Options of {@link fusedLinearPolicy}. */
export interface FusedLinearPolicyConfig
  extends ConfigOf<typeof options>,
    ConfigOf<ReturnType<typeof policyReferenceOptions>> {}

/**
 * A loss of your own over what a policy has selected, from the log-probabilities of its tokens under a linear layer's logits. The
 * logits exist for a chunk of tokens at a time, in the backward pass again.
 *
 * `LigerFusedLinearPPOBase` in Liger-Kernel.
 *
 * @param x Hidden states `[B, T, H]` of the completions' tokens.
 * @param weight The output layer `[V, H]`, or `[H, V]` with `transposeWeight`.
 * @param selectedTokenIds `[B, T]`, int32: the tokens of the completions, in [0, V) or `ignoreIndex`.
 * @param attentionMask `[B, T]`, int32: 1 for tokens that count, 0 for padding.
 * @param advantages `[B]`
 * @param lossOf Given log-probabilities of tokens, `[B, T]`, returns the loss, a scalar, or an object of tensors with it as `loss`.
 *     It is written in tfjs's ops, which the tape records.
 * @returns What `lossOf` returned, the loss as `loss`. It is differentiable in x, weight and bias.
 * @throws If a part of the reference is missing or given twice, or `lossOf` returns no scalar.
 */
export function fusedLinearPolicy<R extends Record<string, Tensor>>(
  x: Tensor | TensorLike,
  weight: Tensor | TensorLike,
  selectedTokenIds: Tensor | TensorLike,
  attentionMask: Tensor | TensorLike,
  advantages: Tensor | TensorLike,
  lossOf: (logps: PolicyLogps) => Tensor | (R & { loss: Tensor }),
  config?: FusedLinearPolicyConfig,
): R & { loss: Scalar } {
  if (typeof lossOf !== 'function') fail(op, 'lossOf', 'a function', lossOf);
  const given = { x, weight, selectedTokenIds, attentionMask, advantages };
  const result = signatureOf(config).call(given, config, (call) =>
    policy({ op, ...call }, (logps) => checkedLoss(op, lossOf(logps))),
  );
  return result as unknown as R & { loss: Scalar };
}
