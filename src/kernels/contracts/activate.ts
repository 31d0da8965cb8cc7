import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { ActivationGradAttrs } from './linear.js';
import { contract } from './shared/contract.js';

export interface ActivateInputs {
  x: TensorInfo;
}
/** y = activation(x): what the ops that are an activation alone run. Its gradient is `ActivationGrad`. */
export const Activate = contract<ActivateInputs, ActivationGradAttrs>()('LigerActivate', ['y']);
