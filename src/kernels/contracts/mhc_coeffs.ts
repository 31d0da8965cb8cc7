import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export interface MhcCoeffsInputs {
  /** [..., HC, C] */
  x: TensorInfo;
  /** [HC · C, M] with M = HC² + 2 · HC. */
  phi: TensorInfo;
  /** [M] */
  b: TensorInfo;
  /** [] */
  alphaPre: TensorInfo;
  /** [] */
  alphaPost: TensorInfo;
  /** [] */
  alphaRes: TensorInfo;
}
export interface MhcCoeffsAttrs {
  /** Rounds of Sinkhorn's iteration, each a normalization of rows and one of columns. */
  tmax: number;
  rmsEpsilon: number;
  preEpsilon: number;
  sinkhornEpsilon: number;
  postMult: number;
}
/**
 * With rstd [...] = 1 / √(mean(x²) + rmsEpsilon) over HC · C, mix [..., M] = x · phi · rstd and z = mix · alpha + b, where alpha is
 * alphaPre for the first HC, alphaPost for the next HC and alphaRes for the HC² after them:
 *
 * hPre [..., HC] = sigmoid(z) + preEpsilon, hPost [..., HC] = sigmoid(z) · postMult, hRes [..., HC, HC] = Sinkhorn's iterate of
 * softmax(z) + sinkhornEpsilon.
 */
export const MhcCoeffs = contract<MhcCoeffsInputs, MhcCoeffsAttrs>()('LigerMhcCoeffs', [
  'hPre',
  'hPost',
  'hRes',
  'mix',
  'rstd',
]);

export interface MhcCoeffsGradInputs extends MhcCoeffsInputs {
  /** [..., HC] */
  dhPre: TensorInfo;
  /** [..., HC] */
  dhPost: TensorInfo;
  /** [..., HC, HC] */
  dhRes: TensorInfo;
  /** [..., M] */
  mix: TensorInfo;
  /** [...] */
  rstd: TensorInfo;
}
export interface MhcCoeffsGradAttrs extends Pick<MhcCoeffsAttrs, 'tmax' | 'sinkhornEpsilon' | 'postMult'> {
  /** Whether each gradient is computed; those of b and the alphas are one computation. */
  dx: boolean;
  dphi: boolean;
  dgates: boolean;
}
/** dx [..., HC, C], dphi [HC · C, M], db [M], dalphaPre, dalphaPost and dalphaRes []. */
export const MhcCoeffsGrad = contract<MhcCoeffsGradInputs, MhcCoeffsGradAttrs>()('LigerMhcCoeffsGrad', [], {
  dx: ({ dx }) => dx,
  dphi: ({ dphi }) => dphi,
  db: ({ dgates }) => dgates,
  dalphaPre: ({ dgates }) => dgates,
  dalphaPost: ({ dgates }) => dgates,
  dalphaRes: ({ dgates }) => dgates,
});
