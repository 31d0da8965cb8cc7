import type { Scalar, Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, number } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { Jsd } from '../kernels/contracts/jsd.js';
import { rowOptions } from './shared/divergence_options.js';

const signature = new Signature(
  'jsd',
  { logQ: float32('...', 'V'), logP: float32('...', 'V') },
  {
    ...rowOptions,
    /** How much of the mixture is the teacher, in [0, 1]: 0 gives KL(P, Q), 1 gives KL(Q, P). Default 0.5. */
    beta: number(0.5, { min: 0, max: 1 }),
  },
);

/** Options of {@link jsd}. */
export interface JsdConfig extends ConfigOf<typeof signature.options> {}

/**
 * The generalized Jensen-Shannon divergence of a student's distribution Q from a teacher's P, from their log-probabilities:
 * `beta · KL(P, M) + (1 − beta) · KL(Q, M)` with `M = beta · P + (1 − beta) · Q`, averaged over the rows that count.
 *
 * Agarwal et al., "On-Policy Distillation of Language Models" (2024); `liger_jsd` in Liger-Kernel.
 *
 * @param logQ Log-probabilities `[..., V]`.
 * @param logP Of the same shape. Not differentiable.
 * @returns A scalar. Differentiable in logQ.
 */
export function jsd(logQ: Tensor | TensorLike, logP: Tensor | TensorLike, config?: JsdConfig): Scalar {
  return signature.call(
    { logQ, logP },
    config,
    ({ tensors: { logQ, logP, labels }, config: { beta, ignoreIndex } }) => {
      const inputs = { input: logQ, target: logP, labels };
      return runKernel(Jsd, inputs, { beta, ignoreIndex, reduction: 'batchmean' }).loss as Scalar;
    },
  );
}
