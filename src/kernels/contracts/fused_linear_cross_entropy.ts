import type { TensorInfo } from '@tensorflow/tfjs-core';
import { type CrossEntropyAttrs, crossEntropyExtras } from './cross_entropy.js';
import { type ChunkedLinearAttrs, type ChunkedLinearInputs, chunkedLinearGradients } from './shared/chunked_linear.js';
import { contract } from './shared/contract.js';

export interface FusedLinearCrossEntropyInputs extends ChunkedLinearInputs {
  /** [...], int32 */
  labels: TensorInfo;
  /** [V] */
  classWeight?: TensorInfo;
}
export interface FusedLinearCrossEntropyAttrs extends CrossEntropyAttrs, ChunkedLinearAttrs {
  /** Multiplies each token's loss by the probability of its label, which counts as a constant. */
  useTokenScaling: boolean;
}

/** As LigerCrossEntropy of x · weightᵀ + bias, with its gradients as far as they are asked for. */
export const FusedLinearCrossEntropy = contract<FusedLinearCrossEntropyInputs, FusedLinearCrossEntropyAttrs>()(
  'LigerFusedLinearCrossEntropy',
  ['loss'],
  { ...crossEntropyExtras, ...chunkedLinearGradients },
);
