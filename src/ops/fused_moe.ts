import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import type { ConfigOf } from '../checks/config_schema.js';
import { fail } from '../checks/errors.js';
import { float32, int32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { isRecording } from '../engine/tape.js';
import { FusedMoe } from '../kernels/contracts/fused_moe.js';
import { checkRange } from './shared/label_range.js';

const signature = new Signature(
  'fusedMoe',
  {
    x: float32('...', 'H'),
    gateUpProj: float32('E', '2I', 'H'),
    downProj: float32('E', 'H', 'I'),
    topKIndex: int32('...', 'K'),
    topKWeights: float32('...', 'K'),
  },
  {},
);

/** Options of {@link fusedMoe}: there are none. */
export interface FusedMoeConfig extends ConfigOf<typeof signature.options> {}

/**
 * The experts of a mixture of experts: each token goes through the K experts that were chosen for it, feed-forward blocks with
 * `swiglu`, and what they give is added up by its weights.
 *
 * Tokens are sorted by expert on the device, and each expert multiplies its own alone: time and memory grow with T · K, not with
 * the number of experts. Results repeat bit for bit.
 *
 * An index out of range is an error where the indices are in JavaScript's memory, and gives a row of NaN where they are on a
 * device; it adds nothing to the gradients.
 *
 * `LigerFusedMoEFunction` in Liger-Kernel; `MixtralExperts` and its kind in Hugging Face's transformers.
 *
 * @param x `[..., H]`: the tokens.
 * @param gateUpProj `[E, 2I, H]`: of each expert the weight of gate, then that of up.
 * @param downProj `[E, H, I]`.
 * @param topKIndex `[..., K]`, int32, in [0, E): the experts of each token.
 * @param topKWeights `[..., K]`: what each expert's result is multiplied by.
 * @returns `[..., H]`. Differentiable in x, gateUpProj, downProj and topKWeights; the gradient of a frozen one is not computed.
 */
export function fusedMoe(
  x: Tensor | TensorLike,
  gateUpProj: Tensor | TensorLike,
  downProj: Tensor | TensorLike,
  topKIndex: Tensor | TensorLike,
  topKWeights: Tensor | TensorLike,
  config?: FusedMoeConfig,
): Tensor {
  return signature.call({ x, gateUpProj, downProj, topKIndex, topKWeights }, config, ({ tensors, sizes }) => {
    if (sizes['2I'] !== 2 * sizes.I) {
      fail(
        signature.op,
        'gateUpProj',
        `of shape [E,2I,H] = [${sizes.E},${2 * sizes.I},${sizes.H}] (as downProj says)`,
        tensors.gateUpProj,
      );
    }
    checkRange(signature.op, 'topKIndex', tensors.topKIndex, sizes.E);
    return runKernel(FusedMoe, tensors, { keepGateUp: isRecording() }).y;
  });
}
