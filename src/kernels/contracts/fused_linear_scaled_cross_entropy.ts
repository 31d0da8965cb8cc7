import type { TensorInfo } from '@tensorflow/tfjs-core';
import { type ChunkedLinearAttrs, type ChunkedLinearInputs, chunkedLinearGradients } from './shared/chunked_linear.js';
import { contract } from './shared/contract.js';

export interface FusedLinearScaledCrossEntropyInputs extends Omit<ChunkedLinearInputs, 'dy'> {
  /** [...], int32 */
  labels: TensorInfo;
}
export interface FusedLinearScaledCrossEntropyAttrs extends Omit<ChunkedLinearAttrs, 'gradients'> {
  temperature: number;
  ignoreIndex: number;
  returnEntropy: boolean;
}
/**
 * With z = (x · weightᵀ + bias) / temperature and log p = z − lse: nll [...] = −log p of the label, lse [...] = log Σ exp(z), and
 * entropy [...] = −Σ p · log p. All are 0 where the label is ignored, and NaN where it is out of range.
 */
export const FusedLinearScaledCrossEntropy = contract<
  FusedLinearScaledCrossEntropyInputs,
  FusedLinearScaledCrossEntropyAttrs
>()('LigerFusedLinearScaledCrossEntropy', ['nll', 'lse'], { entropy: ({ returnEntropy }) => returnEntropy });

export interface FusedLinearScaledCrossEntropyGradInputs extends FusedLinearScaledCrossEntropyInputs {
  /** [...] */
  lse: TensorInfo;
  /** [...] */
  dnll: TensorInfo;
  /** [...], with dentropy. */
  entropy?: TensorInfo;
  /** [...] */
  dentropy?: TensorInfo;
}
export type FusedLinearScaledCrossEntropyGradAttrs = Pick<
  FusedLinearScaledCrossEntropyAttrs,
  'temperature' | 'ignoreIndex'
> &
  ChunkedLinearAttrs;
/** The gradients that are wanted, from logits that are made again. */
export const FusedLinearScaledCrossEntropyGrad = contract<
  FusedLinearScaledCrossEntropyGradInputs,
  FusedLinearScaledCrossEntropyGradAttrs
>()('LigerFusedLinearScaledCrossEntropyGrad', [], chunkedLinearGradients);
