import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export interface ReluSquaredInputs {
  x: TensorInfo;
}
/** y = max(x, 0)². */
export const ReluSquared = contract<ReluSquaredInputs>()('LigerReluSquared', ['y']);

export interface ReluSquaredGradInputs extends ReluSquaredInputs {
  dy: TensorInfo;
}
/** dx = 2 · max(x, 0) · dy. */
export const ReluSquaredGrad = contract<ReluSquaredGradInputs>()('LigerReluSquaredGrad', ['dx']);
