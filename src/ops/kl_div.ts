import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, flag } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { KlDiv } from '../kernels/contracts/kl_div.js';
import { reductionOption } from './shared/divergence_options.js';

const signature = new Signature(
  'klDiv',
  { input: float32('...', 'V'), target: float32('...', 'V') },
  {
    ...reductionOption,
    /** Whether target holds log-probabilities, too. Default false. */
    logTarget: flag(),
  },
);

/** Options of {@link klDiv}. */
export interface KlDivConfig extends ConfigOf<typeof signature.options> {}

/**
 * The Kullback-Leibler divergence `target · (log target − input)` of log-probabilities from a target's probabilities.
 *
 * `liger_kl_div` in Liger-Kernel, `kl_div` in PyTorch; an element whose target is 0 has no loss.
 *
 * @param input Log-probabilities `[..., V]`.
 * @param target Probabilities of the same shape, or log-probabilities with `logTarget`. Not differentiable.
 * @returns A scalar, or `[..., V]` with the reduction 'none'. Differentiable in input.
 */
export function klDiv(input: Tensor | TensorLike, target: Tensor | TensorLike, config?: KlDivConfig): Tensor {
  return signature.call({ input, target }, config, ({ tensors, config: { reduction, logTarget } }) => {
    return runKernel(KlDiv, tensors, { reduction, logTarget, ignoreIndex: 0 }).loss;
  });
}
