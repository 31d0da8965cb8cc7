import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export interface SparsemaxInputs {
  /** [..., C] */
  x: TensorInfo;
}
/** y [..., C] = max(x − τ, 0), where τ is such that each row's sum is 1. */
export const Sparsemax = contract<SparsemaxInputs>()('LigerSparsemax', ['y']);

export interface SparsemaxGradInputs {
  /** [..., C] */
  dy: TensorInfo;
  /** [..., C] */
  y: TensorInfo;
}
/** dx [..., C]: on the support, where y > 0, dy minus its mean there; 0 elsewhere. */
export const SparsemaxGrad = contract<SparsemaxGradInputs>()('LigerSparsemaxGrad', ['dx']);
