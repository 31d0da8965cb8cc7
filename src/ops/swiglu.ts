import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, number } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { Swiglu } from '../kernels/contracts/swiglu.js';

const signature = new Signature(
  'swiglu',
  { gate: float32('...'), up: float32('...') },
  {
    /** Multiplies the gate before its activation. Default 1. */
    gateMultiplier: number(1),
    /** Multiplies the result. Default 1. */
    downMultiplier: number(1),
  },
);

/** Options of {@link swiglu}. */
export interface SwigluConfig extends ConfigOf<typeof signature.options> {}

/**
 * The gated linear unit with the activation `silu(z) = z · sigmoid(z)`: `silu(gate · gateMultiplier) · up · downMultiplier`.
 *
 * Shazeer, "GLU Variants Improve Transformer" (2020); `liger_swiglu` in Liger-Kernel.
 *
 * @param gate Of any shape.
 * @param up Of the same shape.
 * @returns A tensor of that shape. Differentiable in gate and up.
 */
export function swiglu<T extends Tensor>(gate: T | TensorLike, up: T | TensorLike, config?: SwigluConfig): T {
  return signature.call({ gate, up }, config, ({ tensors, config: attrs }) => runKernel(Swiglu, tensors, attrs).y as T);
}
