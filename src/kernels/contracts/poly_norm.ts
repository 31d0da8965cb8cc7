import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export interface PolyNormInputs {
  /** [..., C] */
  x: TensorInfo;
  /** [3], of the normalized x³, x² and x. */
  weight: TensorInfo;
  /** [] */
  bias: TensorInfo;
}
export interface PolyNormAttrs {
  epsilon: number;
}
/**
 * y [..., C] = weight₀ · n(x³) + weight₁ · n(x²) + weight₂ · n(x) + bias, with n(u) = u / √(mean(u²) + epsilon).
 *
 * rstd [..., 3] are what z³, z² and x are multiplied by to be n(x³), n(x²) and n(x), where z = n(x): with the powers of x
 * itself, those of x⁶ in the first root would overflow from an x of 3e6 on.
 */
export const PolyNorm = contract<PolyNormInputs, PolyNormAttrs>()('LigerPolyNorm', ['y', 'rstd']);

export interface PolyNormGradInputs {
  /** [..., C], the gradient of y. */
  dy: TensorInfo;
  /** [..., C] */
  x: TensorInfo;
  /** [3] */
  weight: TensorInfo;
  /** [..., 3], as LigerPolyNorm gave it. */
  rstd: TensorInfo;
}
/** dx [..., C], dweight [3], dbias []. */
export const PolyNormGrad = contract<PolyNormGradInputs>()('LigerPolyNormGrad', ['dx', 'dweight', 'dbias']);
