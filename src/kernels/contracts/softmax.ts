import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export interface SoftmaxInputs {
  /** [..., C] */
  x: TensorInfo;
}
/** y [..., C]: softmax over the last dimension. */
export const Softmax = contract<SoftmaxInputs>()('LigerSoftmax', ['y']);

export interface SoftmaxGradInputs {
  /** [..., C] */
  dy: TensorInfo;
  /** [..., C] */
  y: TensorInfo;
}
/** dx [..., C]. */
export const SoftmaxGrad = contract<SoftmaxGradInputs>()('LigerSoftmaxGrad', ['dx']);
