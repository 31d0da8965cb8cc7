import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';
import type { InPlaceAttrs } from './shared/in_place.js';

export interface ScaledCrossEntropyInputs {
  /** [..., V] */
  logits: TensorInfo;
  /** [...], int32 */
  labels: TensorInfo;
}
export interface ScaledCrossEntropyAttrs {
  temperature: number;
  ignoreIndex: number;
  returnEntropy: boolean;
}
/**
 * With z = logits / temperature and log p = z − lse: nll [...] = −log p of the label, lse [...] = log Σ exp(z), and entropy [...] =
 * −Σ p · log p. All are 0 where the label is ignored, and NaN where it is out of range.
 */
export const ScaledCrossEntropy = contract<ScaledCrossEntropyInputs, ScaledCrossEntropyAttrs>()(
  'LigerScaledCrossEntropy',
  ['nll', 'lse'],
  { entropy: ({ returnEntropy }) => returnEntropy },
);

/** What the gradient of logits is made of, beside them. */
export interface ScaledCrossEntropySlopes {
  /** [...] */
  lse: TensorInfo;
  /** [...] */
  dnll: TensorInfo;
  /** [...], with dentropy. */
  entropy?: TensorInfo;
  /** [...] */
  dentropy?: TensorInfo;
}
export interface ScaledCrossEntropyGradInputs extends ScaledCrossEntropyInputs, ScaledCrossEntropySlopes {}
export type ScaledCrossEntropyGradAttrs = Omit<ScaledCrossEntropyAttrs, 'returnEntropy'>;
/** dlogits [..., V], which may take the place of the logits. */
export const ScaledCrossEntropyGrad = contract<
  ScaledCrossEntropyGradInputs,
  ScaledCrossEntropyGradAttrs & InPlaceAttrs
>()('LigerScaledCrossEntropyGrad', ['dlogits']);
