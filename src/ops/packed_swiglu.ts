import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, number } from '../checks/config_schema.js';
import { fail } from '../checks/errors.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { PackedSwiglu } from '../kernels/contracts/packed_swiglu.js';

const op = 'packedSwiglu';

const signature = new Signature(
  op,
  { gateUp: float32('...', '2I') },
  {
    /** Multiplies the gate before its activation. Default 1. */
    gateMultiplier: number(1),
    /** Multiplies the result. Default 1. */
    downMultiplier: number(1),
  },
);

/** Options of {@link packedSwiglu}. */
export interface PackedSwigluConfig extends ConfigOf<typeof signature.options> {}

/**
 * `swiglu` of one tensor that holds the gate and, behind it, what it multiplies, as a linear layer gives both at once: no slices,
 * and one gradient.
 *
 * `LigerFusedGateUpSiLUMulFunction` in Liger-Kernel.
 *
 * @param gateUp `[..., 2I]`
 * @returns `[..., I]`. Differentiable in gateUp.
 * @throws If the last dimension is odd.
 */
export function packedSwiglu<T extends Tensor>(gateUp: T | TensorLike, config?: PackedSwigluConfig): T {
  return signature.call({ gateUp }, config, ({ tensors, config: attrs, sizes }) => {
    if (sizes['2I'] % 2 !== 0) fail(op, 'gateUp', 'of a shape whose last dimension is even', tensors.gateUp);
    return runKernel(PackedSwiglu, tensors, attrs).y as T;
  });
}
