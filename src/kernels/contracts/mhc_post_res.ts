import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export interface MhcPostResInputs {
  /** [..., HC, C] */
  x: TensorInfo;
  /** [..., C] */
  fOut: TensorInfo;
  /** [..., HC] */
  hPost: TensorInfo;
  /** [..., HC, HC]: a row for each stream of y, a column for each of x. */
  hRes: TensorInfo;
}
/** y [..., HC, C] = hRes · x + hPost · fOutᵀ. */
export const MhcPostRes = contract<MhcPostResInputs>()('LigerMhcPostRes', ['y']);

export interface MhcPostResGradInputs extends MhcPostResInputs {
  /** [..., HC, C] */
  dy: TensorInfo;
}
/** dx [..., HC, C], dfOut [..., C], dhPost [..., HC], dhRes [..., HC, HC]. */
export const MhcPostResGrad = contract<MhcPostResGradInputs>()('LigerMhcPostResGrad', [
  'dx',
  'dfOut',
  'dhPost',
  'dhRes',
]);
