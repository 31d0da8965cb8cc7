import {
  gather,
  greaterEqual,
  less,
  logicalAnd,
  pad,
  reshape,
  scalar,
  type Tensor,
  UnsortedSegmentSum,
  util,
  where,
} from '@tensorflow/tfjs-core';
import type { GradientReplacement } from '../../engine/stock_kernels.js';

/** tfjs's makes a condition of dy's size in JavaScript. Here, rows of no segment take a row of zeros behind those of dy. */
export const unsortedSegmentSum: GradientReplacement = {
  kernelName: UnsortedSegmentSum,
  gradFunc: (dy, saved) => {
    const [segmentIds] = saved as [Tensor];
    const [segments, ...inner] = (dy as Tensor).shape as [number, ...number[]];
    if (segmentIds.size === 0 || (dy as Tensor).size === 0) return undefined;
    return {
      x: () => {
        const rows = pad(reshape(dy as Tensor, [segments, util.sizeFromShape(inner)]), [
          [0, 1],
          [0, 0],
        ]);
        const count = scalar(segments, 'int32');
        const isSegment = logicalAnd(greaterEqual(segmentIds, scalar(0, 'int32')), less(segmentIds, count));
        return reshape(gather(rows, where(isSegment, segmentIds, count)), [...segmentIds.shape, ...inner]);
      },
    };
  },
};
