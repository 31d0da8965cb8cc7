import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export interface LayerNormInputs {
  /** [..., C] */
  x: TensorInfo;
  /** [C] */
  gamma: TensorInfo;
  /** [C] */
  beta: TensorInfo;
}
export interface LayerNormAttrs {
  epsilon: number;
}
/** y [..., C] = (x − mean) · rstd · gamma + beta; mean and rstd [...]. */
export const LayerNorm = contract<LayerNormInputs, LayerNormAttrs>()('LigerLayerNorm', ['y', 'mean', 'rstd']);

export interface LayerNormGradInputs {
  /** [..., C] */
  dy: TensorInfo;
  /** [..., C] */
  x: TensorInfo;
  /** [C] */
  gamma: TensorInfo;
  /** [...] */
  mean: TensorInfo;
  /** [...] */
  rstd: TensorInfo;
}
/** dx [..., C], dgamma [C], dbeta [C]. */
export const LayerNormGrad = contract<LayerNormGradInputs>()('LigerLayerNormGrad', ['dx', 'dgamma', 'dbeta']);
