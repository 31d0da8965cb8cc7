import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

/** Activations that are fused into a linear layer: `gelu` is the exact one, `geluTanh` its approximation by tanh. */
export type Activation = 'none' | 'relu' | 'gelu' | 'geluTanh' | 'silu';

export interface LinearInputs {
  /** [..., I] */
  x: TensorInfo;
  /** [O, I], or [I, O] with transposeWeight. */
  weight: TensorInfo;
  /** [O] */
  bias?: TensorInfo;
}
export interface LinearAttrs {
  activation: Activation;
  transposeWeight: boolean;
  /** Also returns z, which the gradient of an activation needs. Default false. */
  keepZ?: boolean;
}
/** z [..., O] = x · weightᵀ + bias, y [..., O] = activation(z). */
export const Linear = contract<LinearInputs, LinearAttrs>()('LigerLinear', ['y'], { z: ({ keepZ }) => keepZ === true });

export interface LinearGradXInputs {
  /** [..., O], the gradient of z. */
  dz: TensorInfo;
  weight: TensorInfo;
}
export type LinearGradAttrs = Pick<LinearAttrs, 'transposeWeight'>;
/** dx [..., I]. */
export const LinearGradX = contract<LinearGradXInputs, LinearGradAttrs>()('LigerLinearGradX', ['dx']);

export interface LinearGradWeightInputs {
  /** [..., O] */
  dz: TensorInfo;
  /** [..., I] */
  x: TensorInfo;
  /** What dweight is added to. It may be overwritten and come back itself where no one else holds it. */
  total?: TensorInfo;
}
/** dweight, in weight's layout. */
export const LinearGradWeight = contract<LinearGradWeightInputs, LinearGradAttrs>()('LigerLinearGradWeight', [
  'dweight',
]);

export interface BiasGradInputs {
  /** [..., O] */
  dz: TensorInfo;
}
/** dbias [O]: the sum over all dimensions but the last. */
export const BiasGrad = contract<BiasGradInputs>()('LigerBiasGrad', ['dbias']);

export interface ActivationGradInputs {
  dy: TensorInfo;
  /** Of dy's shape. */
  z: TensorInfo;
}
export interface ActivationGradAttrs {
  activation: Exclude<Activation, 'none'>;
}
/** dz = dy · activation'(z). */
export const ActivationGrad = contract<ActivationGradInputs, ActivationGradAttrs>()('LigerActivationGrad', ['dz']);
