import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export interface MhcPreInputs {
  /** [..., HC, C] */
  x: TensorInfo;
  /** [..., HC] */
  hPre: TensorInfo;
}
/** y [..., C] = Σ hPre · x over the streams. */
export const MhcPre = contract<MhcPreInputs>()('LigerMhcPre', ['y']);

export interface MhcPreGradInputs extends MhcPreInputs {
  /** [..., C] */
  dy: TensorInfo;
}
/** dx [..., HC, C], dhPre [..., HC]. */
export const MhcPreGrad = contract<MhcPreGradInputs>()('LigerMhcPreGrad', ['dx', 'dhPre']);
