/** tfjs's gradients of what has several outputs fail where it has a single one. */
import { concat, SplitV, type SplitVAttrs, stack, Unpack, type UnpackAttrs } from '@tensorflow/tfjs-core';
import type { GradientReplacement } from '../../engine/stock_kernels.js';

export const splitV: GradientReplacement = {
  kernelName: SplitV,
  gradFunc: (dy, _, attrs) => ({ x: () => concat([dy].flat(), (attrs as unknown as SplitVAttrs).axis) }),
};

export const unpack: GradientReplacement = {
  kernelName: Unpack,
  gradFunc: (dy, _, attrs) => ({ value: () => stack([dy].flat(), (attrs as unknown as UnpackAttrs).axis) }),
};
