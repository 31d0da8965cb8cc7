import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import type { ConfigOf } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { Geglu } from '../kernels/contracts/geglu.js';

const signature = new Signature('geglu', { gate: float32('...'), up: float32('...') }, {});

/** Options of {@link geglu}: there are none. */
export interface GegluConfig extends ConfigOf<typeof signature.options> {}

/**
 * The gated linear unit with gelu by its tanh formula:
 * `gelu(gate) · up`, where `gelu(z) = z / 2 · (1 + tanh(√(2 / π) · (z + 0.044715 · z³)))`.
 *
 * Shazeer, "GLU Variants Improve Transformer" (2020); `liger_geglu` in Liger-Kernel.
 *
 * @param gate Of any shape.
 * @param up Of the same shape.
 * @returns A tensor of that shape. Differentiable in gate and up.
 */
export function geglu<T extends Tensor>(gate: T | TensorLike, up: T | TensorLike, config?: GegluConfig): T {
  return signature.call({ gate, up }, config, ({ tensors }) => runKernel(Geglu, tensors, {}).y as T);
}
