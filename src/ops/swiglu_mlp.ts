import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, number } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { isRecording } from '../engine/tape.js';
import { SwigluMlp } from '../kernels/contracts/swiglu_mlp.js';

const signature = new Signature(
  'swigluMlp',
  {
    x: float32('...', 'H'),
    gateWeight: float32('I', 'H'),
    upWeight: float32('I', 'H'),
    downWeight: float32('H', 'I'),
  },
  {
    /** Multiplies the gate before its activation. Default 1. */
    gateMultiplier: number(1),
    /** Multiplies what `downWeight` is applied to. Default 1. */
    downMultiplier: number(1),
  },
);

/** Options of {@link swigluMlp}. */
export interface SwigluMlpConfig extends ConfigOf<typeof signature.options> {}

/**
 * A whole SwiGLU feed-forward block: `(silu(gate · gateMultiplier) · up · downMultiplier) · downWeightᵀ`, where
 * `gate = x · gateWeightᵀ` and `up = x · upWeightᵀ`. Both are made in one pass over x, with the activation fused.
 *
 * For the backward pass it keeps x, gate and up: two thirds of what a gate, an up and their product as ops of their own would
 * keep. The product is made again with the gradients of both, without another matmul.
 *
 * Shazeer, "GLU Variants Improve Transformer" (2020); `LigerMLPFunction` in Liger-Kernel.
 *
 * @param x `[..., H]`.
 * @param gateWeight `[I, H]`, the layout of a checkpoint.
 * @param upWeight `[I, H]`.
 * @param downWeight `[H, I]`.
 * @returns `[..., H]`. Differentiable in x and all weights; the gradient of a frozen one is not computed.
 */
export function swigluMlp(
  x: Tensor | TensorLike,
  gateWeight: Tensor | TensorLike,
  upWeight: Tensor | TensorLike,
  downWeight: Tensor | TensorLike,
  config?: SwigluMlpConfig,
): Tensor {
  return signature.call(
    { x, gateWeight, upWeight, downWeight },
    config,
    ({ tensors, config: multipliers }) =>
      runKernel(SwigluMlp, tensors, { ...multipliers, keepGateUp: isRecording() }).y,
  );
}
