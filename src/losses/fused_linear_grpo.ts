import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import type { ConfigOf } from '../checks/config_schema.js';
import { Signature } from '../checks/signature.js';
import { checkGrpo, type GrpoResult, grpo, grpoOptions } from './shared/grpo.js';
import { forBothLayouts, headOptions } from './shared/head.js';
import { policy, policyReferenceOptions, policyTensors } from './shared/policy.js';

const op = 'fusedLinearGrpo';

const options = { ...headOptions, ...grpoOptions } as const;

const signatureOf = forBothLayouts(
  (layout) => new Signature(op, policyTensors(layout), { ...options, ...policyReferenceOptions(layout) }),
);

/** Options of {@link fusedLinearGrpo}. */
export interface FusedLinearGrpoConfig
  extends ConfigOf<typeof options>,
    ConfigOf<ReturnType<typeof policyReferenceOptions>> {}

/**
 * Group relative policy optimization and the losses that followed it, from a linear layer whose logits exist for a chunk of tokens
 * at a time, in the backward pass again: the importance ratio `w = exp(log π − log π_old)` of each token, clipped, times the
 * advantage of its sequence, and `beta` times an estimate of the divergence from a reference.
 *
 *     −min(w · A, clip(w, 1 − epsilonLow, 1 + epsilonHigh) · A) + beta · (π_ref / π − log(π_ref / π) − 1)
 *
 * Shao et al., "DeepSeekMath" (2024) for 'grpo'; Yu et al., "DAPO" (2025); Liu et al., "Understanding R1-Zero-Like Training" (2025)
 * for 'drGrpo'; Zheng et al., "Group Sequence Policy Optimization" (2025) for ratios of sequences; `LigerFusedLinearGRPOLoss` in
 * Liger-Kernel, which has the same types.
 *
 * @param x Hidden states `[B, T, H]` of the completions' tokens.
 * @param weight The output layer `[V, H]`, or `[H, V]` with `transposeWeight`.
 * @param selectedTokenIds `[B, T]`, int32: the tokens of the completions, in [0, V) or `ignoreIndex`.
 * @param attentionMask `[B, T]`, int32: 1 for tokens that count, 0 for padding.
 * @param advantages `[B]`. Not differentiable.
 * @returns The loss, and numbers to watch beside it. The loss is differentiable in x, weight and bias.
 * @throws If an option does not go with the loss type, or a part of the reference is missing or given twice.
 */
export function fusedLinearGrpo(
  x: Tensor | TensorLike,
  weight: Tensor | TensorLike,
  selectedTokenIds: Tensor | TensorLike,
  attentionMask: Tensor | TensorLike,
  advantages: Tensor | TensorLike,
  config?: FusedLinearGrpoConfig,
): GrpoResult {
  const given = { x, weight, selectedTokenIds, attentionMask, advantages };
  return signatureOf(config).call(given, config, (call) => {
    const { vllmIsRatio, selectedTokenIds } = call.tensors;
    checkGrpo(op, call.config, vllmIsRatio, selectedTokenIds.shape);
    return policy({ op, ...call }, (logps) => grpo(logps, call.config, vllmIsRatio));
  });
}
