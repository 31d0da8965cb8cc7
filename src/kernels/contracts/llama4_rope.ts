import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export interface Llama4RopeInputs {
  /** [B, T, Hq, D], D even. */
  q: TensorInfo;
  /** [B, T, Hk, D] */
  k: TensorInfo;
  /** [T, D / 2] */
  freqsReal: TensorInfo;
  /** [T, D / 2] */
  freqsImag: TensorInfo;
}
export interface Llama4RopeAttrs {
  /** Multiplies by the conjugates, which is the transposed rotation: the gradient. */
  transposed: boolean;
}
/** The numbers x[2i] + i · x[2i + 1] of q and k, times freqsReal + i · freqsImag. */
export const Llama4Rope = contract<Llama4RopeInputs, Llama4RopeAttrs>()('LigerLlama4Rope', ['rotatedQ', 'rotatedK']);
