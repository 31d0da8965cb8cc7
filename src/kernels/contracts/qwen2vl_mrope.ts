import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export interface Qwen2vlMropeInputs {
  /** [B, Hq, T, D], D even. */
  q: TensorInfo;
  /** [B, Hk, T, D] */
  k: TensorInfo;
  /** [3, B, T, D], of temporal, height and width positions. */
  cos: TensorInfo;
  /** [3, B, T, D] */
  sin: TensorInfo;
}
export interface Qwen2vlMropeAttrs {
  /** How many angles of each half of a row are temporal, of the height and of the width. */
  mropeSection: readonly [temporal: number, height: number, width: number];
  /** Applies the transposed rotation: the gradient. */
  transposed: boolean;
}
/** q and k, both rotated by halves, each dimension by the angle of its section's position. */
export const Qwen2vlMrope = contract<Qwen2vlMropeInputs, Qwen2vlMropeAttrs>()('LigerQwen2vlMrope', [
  'rotatedQ',
  'rotatedK',
]);
