import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, integer } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { ScaledCrossEntropy } from '../kernels/contracts/scaled_cross_entropy.js';
import { checkGrpo, type GrpoResult, grpo, grpoOptions } from './shared/grpo.js';
import { checkCompletions, completionTensors, givenLogpsOptions, policyLogps } from './shared/policy.js';

const op = 'grpoLoss';

const options = {
  ...grpoOptions,
  ...givenLogpsOptions,
  /** Tokens with this id have the log-probability 0 and no gradient. Default -100. */
  ignoreIndex: integer(-100),
} as const;

const signature = new Signature(op, { logits: float32('B', 'T', 'V'), ...completionTensors }, options);

/** Options of {@link grpoLoss}. */
export interface GrpoLossConfig extends ConfigOf<typeof options> {}

/**
 * Group relative policy optimization and the losses that followed it, of logits: what {@link fusedLinearGrpo}, which has the
 * formula and the sources, is of a linear layer. The logits are read once forward and once backward.
 *
 * `triton_grpo_loss` in Liger-Kernel.
 *
 * @param logits `[B, T, V]`, of the completions' tokens.
 * @param selectedTokenIds `[B, T]`, int32: the tokens of the completions, in [0, V) or `ignoreIndex`.
 * @param attentionMask `[B, T]`, int32: 1 for tokens that count, 0 for padding.
 * @param advantages `[B]`. Not differentiable.
 * @returns The loss, and numbers to watch beside it. The loss is differentiable in the logits.
 * @throws If an option does not go with the loss type.
 */
export function grpoLoss(
  logits: Tensor | TensorLike,
  selectedTokenIds: Tensor | TensorLike,
  attentionMask: Tensor | TensorLike,
  advantages: Tensor | TensorLike,
  config?: GrpoLossConfig,
): GrpoResult {
  const given = { logits, selectedTokenIds, attentionMask, advantages };
  return signature.call(given, config, ({ tensors, config, sizes }) => {
    const { logits, selectedTokenIds: labels, vllmIsRatio } = tensors;
    const { temperature, ignoreIndex } = config;
    checkGrpo(op, config, vllmIsRatio, labels.shape);
    checkCompletions(op, tensors, sizes.V, ignoreIndex);
    const attrs = { temperature, ignoreIndex, returnEntropy: false };
    const { nll } = runKernel(ScaledCrossEntropy, { logits, labels }, attrs);
    return grpo(policyLogps(nll, tensors), config, vllmIsRatio);
  });
}
