import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export type DataFormat = 'channelsLast' | 'channelsFirst';

export interface GroupNormInputs {
  /** [B, ..., C] or, with channels first, [B, C, ...] */
  x: TensorInfo;
  /** [C] */
  gamma: TensorInfo;
  /** [C] */
  beta: TensorInfo;
}
export interface GroupNormGradAttrs {
  /** A divisor of C. */
  numGroups: number;
  dataFormat: DataFormat;
}
export interface GroupNormAttrs extends GroupNormGradAttrs {
  epsilon: number;
}
/** y of x's shape = (x − mean) · rstd · gamma + beta; mean and rstd [B, numGroups]. */
export const GroupNorm = contract<GroupNormInputs, GroupNormAttrs>()('LigerGroupNorm', ['y', 'mean', 'rstd']);

export interface GroupNormGradInputs {
  /** Of x's shape. */
  dy: TensorInfo;
  /** [B, ..., C] or, with channels first, [B, C, ...] */
  x: TensorInfo;
  /** [C] */
  gamma: TensorInfo;
  /** [B, numGroups] */
  mean: TensorInfo;
  /** [B, numGroups] */
  rstd: TensorInfo;
}
/** dx of x's shape, dgamma [C], dbeta [C]. */
export const GroupNormGrad = contract<GroupNormGradInputs, GroupNormGradAttrs>()('LigerGroupNormGrad', [
  'dx',
  'dgamma',
  'dbeta',
]);

/** The sizes of a call. */
export interface GroupShape {
  readonly batches: number;
  /** C. */
  readonly channels: number;
  /** Channels of one group. */
  readonly inGroup: number;
  /** The product of the spatial dimensions, 1 where there are none. */
  readonly positions: number;
}

export function groupShape(shape: readonly number[], { numGroups, dataFormat }: GroupNormGradAttrs): GroupShape {
  const channelAxis = dataFormat === 'channelsFirst' ? 1 : shape.length - 1;
  const channels = shape[channelAxis]!;
  const positions = shape.reduce(
    (product, size, axis) => (axis === 0 || axis === channelAxis ? product : product * size),
    1,
  );
  return { batches: shape[0]!, channels, inGroup: channels / numGroups, positions };
}
