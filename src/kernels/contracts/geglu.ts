import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export interface GegluInputs {
  gate: TensorInfo;
  /** Of gate's shape. */
  up: TensorInfo;
}
/** y = gelu_tanh(gate) · up. */
export const Geglu = contract<GegluInputs>()('LigerGeglu', ['y']);

export interface GegluGradInputs extends GegluInputs {
  dy: TensorInfo;
}
/** dgate, dup. */
export const GegluGrad = contract<GegluGradInputs>()('LigerGegluGrad', ['dgate', 'dup']);
