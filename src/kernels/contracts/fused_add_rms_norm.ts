import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { RmsNormAttrs, RmsNormGradAttrs } from './rms_norm.js';
import { contract } from './shared/contract.js';

export interface FusedAddRmsNormInputs {
  /** [..., C] */
  x: TensorInfo;
  /** [..., C] */
  residual: TensorInfo;
  /** [C] */
  gamma: TensorInfo;
}
/** sum [..., C] = x + residual, y [..., C] = rmsNorm(sum), rstd [...]. */
export const FusedAddRmsNorm = contract<FusedAddRmsNormInputs, RmsNormAttrs>()('LigerFusedAddRmsNorm', [
  'y',
  'sum',
  'rstd',
]);

export interface FusedAddRmsNormGradInputs {
  /** [..., C], the gradient of y. */
  dy: TensorInfo;
  /** [..., C], the gradient of the sum where it is used, too. */
  dsum: TensorInfo;
  /** [..., C] */
  sum: TensorInfo;
  /** [C] */
  gamma: TensorInfo;
  /** [...] */
  rstd: TensorInfo;
}
/** dx [..., C], which is the gradient of both x and residual, and dgamma [C]. */
export const FusedAddRmsNormGrad = contract<FusedAddRmsNormGradInputs, RmsNormGradAttrs>()(
  'LigerFusedAddRmsNormGrad',
  ['dx'],
  { dgamma: ({ dgamma }) => dgamma },
);
