import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';
import type { InPlaceAttrs } from './shared/in_place.js';

export interface LogSoftmaxInputs {
  /** [..., C] */
  x: TensorInfo;
}
/** y [..., C] = x − log Σ exp(x), over the last dimension. */
export const LogSoftmax = contract<LogSoftmaxInputs>()('LigerLogSoftmax', ['y']);

export interface LogSoftmaxGradInputs {
  /** [..., C] */
  dy: TensorInfo;
  /** [..., C] */
  y: TensorInfo;
}
/** dx [..., C] = dy − exp(y) · Σ dy, which may take the place of y. */
export const LogSoftmaxGrad = contract<LogSoftmaxGradInputs, InPlaceAttrs>()('LigerLogSoftmaxGrad', ['dx']);
