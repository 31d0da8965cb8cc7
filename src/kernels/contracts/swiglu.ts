import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export interface SwigluInputs {
  gate: TensorInfo;
  /** Of gate's shape. */
  up: TensorInfo;
}
export interface SwigluAttrs {
  gateMultiplier: number;
  downMultiplier: number;
}
/** y = silu(gate · gateMultiplier) · up · downMultiplier. */
export const Swiglu = contract<SwigluInputs, SwigluAttrs>()('LigerSwiglu', ['y']);

export interface SwigluGradInputs extends SwigluInputs {
  dy: TensorInfo;
}
/** dgate, dup. */
export const SwigluGrad = contract<SwigluGradInputs, SwigluAttrs>()('LigerSwigluGrad', ['dgate', 'dup']);
