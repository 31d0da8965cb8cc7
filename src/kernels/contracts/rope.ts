import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export interface RopeInputs {
  /** [B, Hq, T, D], D even. */
  q: TensorInfo;
  /** [B, Hk, T, D] */
  k: TensorInfo;
  /** [1 or B, T, D] */
  cos: TensorInfo;
  /** [1 or B, T, D] */
  sin: TensorInfo;
}
export interface RopeAttrs {
  /** Applies the transposed rotation: the gradient. */
  transposed: boolean;
}
/** q and k, both rotated by halves. */
export const Rope = contract<RopeInputs, RopeAttrs>()('LigerRope', ['rotatedQ', 'rotatedK']);
