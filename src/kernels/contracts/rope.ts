import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';
import type { HeadLayout } from './shared/rotation_shape.js';

export interface RopeInputs {
  /** [B, Hq, T, D], or as `layout` says. */
  q: TensorInfo;
  /** [B, Hk, T, D], likewise. */
  k: TensorInfo;
  /** [1 or B, T, R], R even and at most D; without a batch [T, R] or [1, T, R]. */
  cos: TensorInfo;
  /** Of the shape of cos. */
  sin: TensorInfo;
}
export interface RopeAttrs {
  layout: HeadLayout;
  /** Applies the transposed rotation: the gradient. */
  transposed: boolean;
}
/** q and k, the first R of each head rotated by halves. */
export const Rope = contract<RopeInputs, RopeAttrs>()('LigerRope', ['rotatedQ', 'rotatedK']);
