import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Reduction } from './cross_entropy.js';
import { contract } from './shared/contract.js';
import type { InPlaceAttrs } from './shared/in_place.js';

export interface SoftCrossEntropyInputs {
  /** [..., V] */
  logits: TensorInfo;
  /** [..., V], float32, int32 or bool */
  targets: TensorInfo;
}
export interface SoftCrossEntropyAttrs {
  /** How much of y is spread evenly over all classes. */
  labelSmoothing: number;
  /** 'mean' over the rows. */
  reduction: Reduction;
  /** No probability counts for less than this, or for more than 1 less it, as in Keras; 0 for no such limit. */
  epsilon: number;
  /** Takes Σ y for 1 in the gradient of the logits, as tfjs's own softmaxCrossEntropy does. */
  targetsAreNormalized: boolean;
}
/**
 * With y = targets · (1 − labelSmoothing) + labelSmoothing / V: loss = Σ y · (lse − logits) of each row, where an element whose y is 0
 * has none; a scalar, or [...] for the reduction 'none'. lse [...] is each row's log Σ exp(logits), and mass [...] its Σ y, of the
 * elements within epsilon's limits, if there are some. Σ y must be 1 for those to be Keras's.
 */
export const SoftCrossEntropy = contract<SoftCrossEntropyInputs, SoftCrossEntropyAttrs>()(
  'LigerSoftCrossEntropy',
  ['loss', 'lse'],
  { mass: ({ targetsAreNormalized }) => !targetsAreNormalized },
);

export interface SoftCrossEntropyGradInputs extends SoftCrossEntropyInputs {
  /** The gradient of the loss: a scalar, or [...] for the reduction 'none'. */
  dy: TensorInfo;
  lse: TensorInfo;
  /** 1 without it. */
  mass?: TensorInfo;
}
export interface SoftCrossEntropyGradAttrs extends Omit<SoftCrossEntropyAttrs, 'targetsAreNormalized'>, InPlaceAttrs {
  /** Whether the gradient of the targets is wanted. */
  dtargets: boolean;
}
/** dlogits = dloss · (softmax(logits) · mass − y), where a y beyond epsilon's limits counts 0, and dtargets = dloss · (lse − logits) · (1 − labelSmoothing), [..., V]. dlogits may take the place of the logits. */
export const SoftCrossEntropyGrad = contract<SoftCrossEntropyGradInputs, SoftCrossEntropyGradAttrs>()(
  'LigerSoftCrossEntropyGrad',
  ['dlogits'],
  { dtargets: ({ dtargets }) => dtargets },
);
