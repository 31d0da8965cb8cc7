import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

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
/** y [..., C] = x · rstd · (gamma + offset), rstd [...] = 1 / √(mean(x²) + epsilon). */
export const RmsNorm = contract<RmsNormInputs, RmsNormAttrs>()('LigerRmsNorm', ['y', 'rstd']);

export interface RmsNormGradInputs extends RmsNormInputs {
  /** [..., C], the gradient of y. */
  dy: TensorInfo;
  /** [...], as LigerRmsNorm gave it. */
  rstd: TensorInfo;
}
export interface RmsNormGradAttrs {
  offset: number;
  /** Whether dgamma is wanted; only with a gamma. */
  dgamma: boolean;
}
/** dx [..., C], dgamma [C]. */
export const RmsNormGrad = contract<RmsNormGradInputs, RmsNormGradAttrs>()('LigerRmsNormGrad', ['dx'], {
  dgamma: ({ dgamma }) => dgamma,
});
