import type { TensorInfo } from '@tensorflow/tfjs-core';

export type DivergenceReduction = 'mean' | 'batchmean' | 'sum' | 'none';

/** What the contracts of divergences between rows share. */
export interface DivergenceInputs {
  /** [..., V]: what is differentiated. */
  input: TensorInfo;
  /** [..., V] */
  target: TensorInfo;
  /** [...], int32: which rows count. All do unless given. */
  labels?: TensorInfo;
}
export interface DivergenceAttrs {
  /** 'mean' over the elements of rows that count, 'batchmean' over those rows, 'sum' of all, 'none': each element's own. */
  reduction: DivergenceReduction;
  ignoreIndex: number;
}

export interface DivergenceGradInputs extends DivergenceInputs {
  /** [], or [..., V] with the reduction 'none'. */
  dy: TensorInfo;
  /** [], unless the reduction is 'none'. */
  divisor?: TensorInfo;
}

/** What every divergence returns beside its loss: [], what the sum over elements was divided by. */
export const divisorOutput = { divisor: ({ reduction }: DivergenceAttrs) => reduction !== 'none' };
