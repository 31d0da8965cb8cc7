import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

/** Of rows (queries) and of columns (keys). */
export type Pair = readonly [rows: number, columns: number];

export interface MultiTokenAttentionInputs {
  /** [B, C, L, L] */
  scores: TensorInfo;
  /** [O, C / groups, rows, columns] */
  weight: TensorInfo;
  /** [O] */
  bias?: TensorInfo;
}
export interface MultiTokenAttentionAttrs {
  strides: Pair;
  padding: Pair;
  dilations: Pair;
  groups: number;
  /** Whether weights are those of sparsemax, not of softmax. */
  sparse: boolean;
}
/**
 * y [B, O, rows, columns]: the weights of each row's scores up to the diagonal, convolved, and 0 beyond the diagonal.
 *
 * stats [B, C, L, 2], from which weights are made again: of softmax, max(scores) and 1 / Σ exp(scores − max(scores)); of
 * sparsemax, max(scores) and by how much the threshold lies above it (below, as it is negative).
 */
export const MultiTokenAttention = contract<MultiTokenAttentionInputs, MultiTokenAttentionAttrs>()(
  'LigerMultiTokenAttention',
  ['y', 'stats'],
);

export interface MultiTokenAttentionGradInputs {
  /** [B, O, rows, columns] */
  dy: TensorInfo;
  /** [B, C, L, L] */
  scores: TensorInfo;
  /** [B, C, L, 2] */
  stats: TensorInfo;
  /** [O, C / groups, rows, columns] */
  weight: TensorInfo;
}
export interface MultiTokenAttentionGradAttrs extends MultiTokenAttentionAttrs {
  /** Which gradients are computed. */
  dscores: boolean;
  dweight: boolean;
  dbias: boolean;
}
/** dscores [B, C, L, L], dweight of the weight's shape, dbias [O]. */
export const MultiTokenAttentionGrad = contract<MultiTokenAttentionGradInputs, MultiTokenAttentionGradAttrs>()(
  'LigerMultiTokenAttentionGrad',
  [],
  {
    dscores: ({ dscores }) => dscores,
    dweight: ({ dweight }) => dweight,
    dbias: ({ dbias }) => dbias,
  },
);

/** The sizes of a convolution over maps of attention. */
export interface MapShape {
  readonly batches: number;
  /** C, O and L. */
  readonly channels: number;
  readonly outChannels: number;
  readonly length: number;
  readonly kernel: Pair;
  /** Rows and columns of y. */
  readonly out: Pair;
  /** Channels of one group, of scores and of y. */
  readonly inGroup: number;
  readonly outGroup: number;
}

export function mapShape(
  scores: readonly number[],
  weight: readonly number[],
  { strides, padding, dilations, groups }: Omit<MultiTokenAttentionAttrs, 'sparse'>,
): MapShape {
  const [batches, channels, length] = scores as [number, number, number, number];
  const [outChannels, inGroup, rows, columns] = weight as [number, number, number, number];
  const kernel: Pair = [rows, columns];
  const outSize = (i: 0 | 1) =>
    Math.floor((length + 2 * padding[i] - dilations[i] * (kernel[i] - 1) - 1) / strides[i]) + 1;
  const outGroup = outChannels / groups;
  return { batches, channels, outChannels, length, kernel, out: [outSize(0), outSize(1)], inGroup, outGroup };
}
