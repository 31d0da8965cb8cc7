import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export interface DytInputs {
  /** [..., C] */
  x: TensorInfo;
  /** [1] */
  alpha: TensorInfo;
  /** [C] */
  gamma: TensorInfo;
  /** [C] */
  beta?: TensorInfo;
}
/** y [..., C] = gamma · tanh(alpha · x) + beta. */
export const Dyt = contract<DytInputs>()('LigerDyt', ['y']);

export interface DytGradInputs {
  /** [..., C] */
  dy: TensorInfo;
  /** [..., C] */
  x: TensorInfo;
  /** [1] */
  alpha: TensorInfo;
  /** [C] */
  gamma: TensorInfo;
}
/** dx [..., C], dalpha [1], dgamma [C], dbeta [C]. */
export const DytGrad = contract<DytGradInputs>()('LigerDytGrad', ['dx', 'dalpha', 'dgamma', 'dbeta']);
