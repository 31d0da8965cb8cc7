import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';
import type { SwigluAttrs } from './swiglu.js';

export interface PackedSwigluInputs {
  /** [..., 2I]: the gate, then what it multiplies. */
  gateUp: TensorInfo;
}
/** y [..., I] = silu(gate · gateMultiplier) · up · downMultiplier. */
export const PackedSwiglu = contract<PackedSwigluInputs, SwigluAttrs>()('LigerPackedSwiglu', ['y']);

export interface PackedSwigluGradInputs extends PackedSwigluInputs {
  /** [..., I] */
  dy: TensorInfo;
}
/** dgateUp [..., 2I]. */
export const PackedSwigluGrad = contract<PackedSwigluGradInputs, SwigluAttrs>()('LigerPackedSwigluGrad', ['dgateUp']);
