import type { TensorInfo } from '@tensorflow/tfjs-core';
import type {
  ScaledCrossEntropyAttrs,
  ScaledCrossEntropyGradAttrs,
  ScaledCrossEntropySlopes,
} from './scaled_cross_entropy.js';
import { type ChunkedLinearAttrs, type ChunkedLinearInputs, chunkedLinearGradients } from './shared/chunked_linear.js';
import { contract } from './shared/contract.js';

export interface FusedLinearScaledCrossEntropyInputs extends Omit<ChunkedLinearInputs, 'dy'> {
  /** [...], int32 */
  labels: TensorInfo;
}
export interface FusedLinearScaledCrossEntropyAttrs
  extends ScaledCrossEntropyAttrs,
    Omit<ChunkedLinearAttrs, 'gradients'> {}
/** As LigerScaledCrossEntropy of x · weightᵀ + bias. */
export const FusedLinearScaledCrossEntropy = contract<
  FusedLinearScaledCrossEntropyInputs,
  FusedLinearScaledCrossEntropyAttrs
>()('LigerFusedLinearScaledCrossEntropy', ['nll', 'lse'], { entropy: ({ returnEntropy }) => returnEntropy });

export interface FusedLinearScaledCrossEntropyGradInputs
  extends FusedLinearScaledCrossEntropyInputs,
    ScaledCrossEntropySlopes {}
export interface FusedLinearScaledCrossEntropyGradAttrs extends ScaledCrossEntropyGradAttrs, ChunkedLinearAttrs {}
/** The gradients that are wanted, from logits that are made again. */
export const FusedLinearScaledCrossEntropyGrad = contract<
  FusedLinearScaledCrossEntropyGradInputs,
  FusedLinearScaledCrossEntropyGradAttrs
>()('LigerFusedLinearScaledCrossEntropyGrad', [], chunkedLinearGradients);
