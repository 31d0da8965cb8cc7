import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export interface AttnResInputs {
  /** [N, B, T, D]: what N blocks gave. */
  v: TensorInfo;
  /** [D] */
  wQuery: TensorInfo;
  /** [D] */
  wNorm: TensorInfo;
}
export interface AttnResAttrs {
  epsilon: number;
}
/**
 * y [B, T, D] = Σ α · v over the blocks, where α is the softmax over them of Σ wQuery · wNorm · v · rstd and rstd = 1 / √(mean(v²) +
 * epsilon).
 *
 * stats [N, B, T, 2]: α and rstd.
 */
export const AttnRes = contract<AttnResInputs, AttnResAttrs>()('LigerAttnRes', ['y', 'stats']);

export interface AttnResGradInputs extends AttnResInputs {
  /** [B, T, D] */
  dy: TensorInfo;
  /** [N, B, T, 2] */
  stats: TensorInfo;
}
export interface AttnResGradAttrs {
  /** Whether the gradients of wQuery and wNorm are computed. */
  dweights: boolean;
}
/** dv [N, B, T, D], dwQuery and dwNorm [D]. */
export const AttnResGrad = contract<AttnResGradInputs, AttnResGradAttrs>()('LigerAttnResGrad', ['dv'], {
  dwQuery: ({ dweights }) => dweights,
  dwNorm: ({ dweights }) => dweights,
});
