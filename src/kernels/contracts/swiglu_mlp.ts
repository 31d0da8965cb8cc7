import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';
import type { SwigluAttrs } from './swiglu.js';

export interface SwigluMlpInputs {
  /** [..., H] */
  x: TensorInfo;
  /** [I, H] */
  gateWeight: TensorInfo;
  /** [I, H] */
  upWeight: TensorInfo;
  /** [H, I] */
  downWeight: TensorInfo;
}
export interface SwigluMlpAttrs extends SwigluAttrs {
  /** Also returns gate and up, which the gradient needs. Default false. */
  keepGateUp?: boolean;
}
const keepsGateUp = ({ keepGateUp }: SwigluMlpAttrs) => keepGateUp === true;
/**
 * y [..., H] = hidden · downWeightᵀ, where hidden [..., I] = silu(gate) · up, gate [..., I] = x · gateWeightᵀ · gateMultiplier and
 * up [..., I] = x · upWeightᵀ · downMultiplier.
 */
export const SwigluMlp = contract<SwigluMlpInputs, SwigluMlpAttrs>()('LigerSwigluMlp', ['y'], {
  gate: keepsGateUp,
  up: keepsGateUp,
});

export interface SwigluMlpGradInputs extends SwigluMlpInputs {
  /** [..., H] */
  dy: TensorInfo;
  /** [..., I] */
  gate: TensorInfo;
  /** [..., I] */
  up: TensorInfo;
}
/** Which gradients are wanted. */
export interface SwigluMlpGradAttrs extends SwigluAttrs {
  wantsX: boolean;
  wantsGateWeight: boolean;
  wantsUpWeight: boolean;
  wantsDownWeight: boolean;
}
/** The gradients of the inputs that are wanted. */
export const SwigluMlpGrad = contract<SwigluMlpGradInputs, SwigluMlpGradAttrs>()('LigerSwigluMlpGrad', [], {
  dx: ({ wantsX }) => wantsX,
  dgateWeight: ({ wantsGateWeight }) => wantsGateWeight,
  dupWeight: ({ wantsUpWeight }) => wantsUpWeight,
  ddownWeight: ({ wantsDownWeight }) => wantsDownWeight,
});
