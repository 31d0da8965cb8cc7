import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';
import type { InPlaceAttrs } from './shared/in_place.js';

export type Reduction = 'mean' | 'sum' | 'none';

export interface CrossEntropyInputs {
  /** [..., V] */
  logits: TensorInfo;
  /** [...], int32 */
  labels: TensorInfo;
  /** [V] */
  weight?: TensorInfo;
}
export interface CrossEntropyAttrs {
  ignoreIndex: number;
  labelSmoothing: number;
  lseSquareScale: number;
  /** 0 for none. */
  softcap: number;
  reduction: Reduction;
  /** What sums are divided by instead of a count; 0 for none. */
  numItemsInBatch: number;
  returnZLoss: boolean;
  returnTokenAccuracy: boolean;
  returnPredictedTokens: boolean;
}

/** The outputs that are there when they are asked for. */
export const crossEntropyExtras = {
  zLoss: ({ returnZLoss }: CrossEntropyAttrs) => returnZLoss,
  tokenAccuracy: ({ returnTokenAccuracy }: CrossEntropyAttrs) => returnTokenAccuracy,
  predictedTokens: ({ returnPredictedTokens }: CrossEntropyAttrs) => returnPredictedTokens,
};

/**
 * loss, zLoss and tokenAccuracy are scalars, or [...] for the reduction 'none'; predictedTokens [...] is int32, −1 where the
 * label is ignored. lse [...] is each row's log-sum-exp. stats [4] is what sums are divided by: that of the loss, that of the
 * z-loss, the number of labels that are not ignored, and the sum of `weight`.
 */
export const CrossEntropy = contract<CrossEntropyInputs, CrossEntropyAttrs>()(
  'LigerCrossEntropy',
  ['loss', 'lse', 'stats'],
  crossEntropyExtras,
);

export interface CrossEntropyGradInputs extends CrossEntropyInputs {
  /** The gradient of the loss: a scalar, or [...] for the reduction 'none'. */
  dy: TensorInfo;
  lse: TensorInfo;
  stats: TensorInfo;
}
export type CrossEntropyGradAttrs = CrossEntropyAttrs & InPlaceAttrs;
/** dlogits [..., V], which may take the place of the logits. */
export const CrossEntropyGrad = contract<CrossEntropyGradInputs, CrossEntropyGradAttrs>()('LigerCrossEntropyGrad', [
  'dlogits',
]);
