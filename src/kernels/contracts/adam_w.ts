import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract, listContract } from './shared/contract.js';

export interface AdamWAttrs {
  beta1: number;
  beta2: number;
  epsilon: number;
  /** One for each parameter. */
  weightDecays: readonly number[];
}
/**
 * Parameter, m and v of each parameter in turn: one step of AdamW over any number of parameters.
 *
 * The inputs are a list, as those of tfjs's AddN are: `step` (see LigerAdamWStep), then parameter, gradient, m (the running
 * mean of the gradient) and v (that of its square) of each parameter, all of one shape that is not empty. A backend may
 * update a tensor in place where no one else holds its data; the output is then the input itself.
 */
export const AdamW = listContract<readonly TensorInfo[], AdamWAttrs>()('LigerAdamW');

export interface AdamWStepInputs {
  /** [4], whose values don't count: a backend may write them in place. */
  step: TensorInfo;
  /** [n], whose sum is the squared global norm; where gradients are clipped. */
  squaredNorms?: TensorInfo;
  /** [], beside squaredNorms; a backend may write it in place. */
  gradientNorm?: TensorInfo;
}
export interface AdamWStepAttrs {
  /** Read anew in each step, also in one that was captured. */
  learningRate(): number;
  /** 0 for none. */
  clipNorm: number;
  beta1: number;
  beta2: number;
  /** The number of this step, from 1; read anew in each step. */
  iteration(): number;
}
/**
 * step [4] has the scalars of one step, on the device, so that LigerAdamW is the same commands in every step: the learning
 * rate; what gradients are multiplied by (1, or less when they are clipped); the learning rate / (1 − beta1^iteration); and
 * 1 / √(1 − beta2^iteration).
 */
export const AdamWStep = contract<AdamWStepInputs, AdamWStepAttrs>()('LigerAdamWStep', ['step'], {
  gradientNorm: ({ clipNorm }) => clipNorm > 0,
});

/**
 * squaredNorms [n]: numbers whose sum is the squared norm of all the inputs, a list of at least one tensor, none of them
 * empty. n >= 1 depends on their shapes alone.
 */
export const SquaredNorms = contract<readonly TensorInfo[]>()('LigerSquaredNorms', ['squaredNorms']);
