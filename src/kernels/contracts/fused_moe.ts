import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export interface FusedMoeInputs {
  /** [..., H] */
  x: TensorInfo;
  /** [E, 2I, H]: of each expert the rows of gate, then those of up. */
  gateUpProj: TensorInfo;
  /** [E, H, I] */
  downProj: TensorInfo;
  /** [..., K], int32 */
  topKIndex: TensorInfo;
  /** [..., K] */
  topKWeights: TensorInfo;
}
export interface FusedMoeAttrs {
  /** Also returns gate and up, which the gradient needs. Default false. */
  keepGateUp?: boolean;
}
const keepsGateUp = ({ keepGateUp }: FusedMoeAttrs) => keepGateUp === true;
/**
 * y [..., H] = Σ over k of topKWeights · downProj · (silu(gate) · up), where gate and up [..., K, I] are x times the two halves of
 * gateUpProj, each by the expert at topKIndex. y is NaN where an index is out of range; gate and up are undefined there.
 */
export const FusedMoe = contract<FusedMoeInputs, FusedMoeAttrs>()('LigerFusedMoe', ['y'], {
  gate: keepsGateUp,
  up: keepsGateUp,
});

export interface FusedMoeGradInputs extends FusedMoeInputs {
  /** [..., H] */
  dy: TensorInfo;
  /** [..., K, I] */
  gate: TensorInfo;
  /** [..., K, I] */
  up: TensorInfo;
}
/** Which gradients are wanted. */
export interface FusedMoeGradAttrs {
  wantsX: boolean;
  wantsGateUpProj: boolean;
  wantsDownProj: boolean;
  wantsTopKWeights: boolean;
}
/** The gradients of the inputs that are wanted. An index out of range adds nothing to them. */
export const FusedMoeGrad = contract<FusedMoeGradInputs, FusedMoeGradAttrs>()('LigerFusedMoeGrad', [], {
  dx: ({ wantsX }) => wantsX,
  dgateUpProj: ({ wantsGateUpProj }) => wantsGateUpProj,
  ddownProj: ({ wantsDownProj }) => wantsDownProj,
  dtopKWeights: ({ wantsTopKWeights }) => wantsTopKWeights,
});
