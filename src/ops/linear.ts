import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, flag, oneOf, tensor } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { isRecording } from '../engine/tape.js';
import { Linear } from '../kernels/contracts/linear.js';

const options = {
  /** Added to every row, [O]. */
  bias: tensor(['O']),
  /** Applied to the result: 'none', 'relu', 'gelu' (exact), 'geluTanh' (its approximation by tanh) or 'silu'. Default 'none'. */
  activation: oneOf(['none', 'relu', 'gelu', 'geluTanh', 'silu'], 'none'),
  /** Takes the weight as [I, O] instead of [O, I]. Default false. */
  transposeWeight: flag(),
} as const;
const signature = new Signature('linear', { x: float32('...', 'I'), weight: float32('O', 'I') }, options);
const transposed = new Signature('linear', { x: float32('...', 'I'), weight: float32('I', 'O') }, options);

/** Options of {@link linear}. */
export interface LinearConfig extends ConfigOf<typeof options> {}

/**
 * A linear layer: `activation(x · weightᵀ + bias)`, with bias and activation applied as the product is stored.
 *
 * @param x `[..., I]`.
 * @param weight `[O, I]`, the layout of a checkpoint, or `[I, O]` with `transposeWeight`.
 * @returns `[..., O]`. Differentiable in x, weight and bias.
 */
export function linear(x: Tensor | TensorLike, weight: Tensor | TensorLike, config?: LinearConfig): Tensor {
  const chosen = config?.transposeWeight === true ? transposed : signature;
  return chosen.call({ x, weight }, config, ({ tensors, config: { activation, transposeWeight } }) => {
    const keepZ = activation !== 'none' && isRecording();
    return runKernel(Linear, tensors, { activation, transposeWeight, keepZ }).y;
  });
}
