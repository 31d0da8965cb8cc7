/**
 * The contract that ops, gradients and the kernels of every backend share: each kernel's name, its inputs, its attributes
 * and its outputs, in order.
 *
 * `[..., C]` is any number of leading dimensions ("rows") before the last. All floats are float32, all indices int32.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';

/** y, rstd = LigerRmsNorm: y [..., C] = x · rstd · (gamma + offset), rstd [...] = 1 / √(mean(x²) + epsilon). */
export const RmsNorm = 'LigerRmsNorm';
export interface RmsNormInputs {
  /** [..., C] */
  x: TensorInfo;
  /** [C]; y is not scaled without it. */
  gamma?: TensorInfo;
}
export interface RmsNormAttrs {
  epsilon: number;
  offset: number;
}

/** dx [..., C], dgamma [C] (with gamma only) = LigerRmsNormGrad. */
export const RmsNormGrad = 'LigerRmsNormGrad';
export interface RmsNormGradInputs extends RmsNormInputs {
  /** [..., C], the gradient of y. */
  dy: TensorInfo;
  /** [...], as LigerRmsNorm gave it. */
  rstd: TensorInfo;
}
export type RmsNormGradAttrs = Pick<RmsNormAttrs, 'offset'>;
