import {
  type GradConfig,
  pad,
  reshape,
  reverse,
  StridedSlice,
  type StridedSliceAttrs,
  slice,
  slice_util,
  type Tensor,
  util,
  zerosLike,
} from '@tensorflow/tfjs-core';

/**
 * Puts elements back to where they were taken from, with zeros between and around them.
 *
 * @param dy [outer, taken, inner]
 * @param begin The place of the first one.
 * @param stride How far the next is from it; below 0 where they were taken backwards.
 * @returns [outer, extent, inner]
 */
function spread(dy: Tensor, begin: number, stride: number, extent: number): Tensor {
  const [outer, taken, inner] = dy.shape as [number, number, number];
  const forward = stride < 0 ? reverse(dy, 1) : dy;
  const first = stride < 0 ? begin + (taken - 1) * stride : begin;
  const step = taken === 1 ? 1 : Math.abs(stride);
  // Each element with the zeros behind it, of which the last one's may reach past the end.
  const blocks = pad(reshape(forward, [outer * taken, 1, inner]), [
    [0, 0],
    [0, step - 1],
    [0, 0],
  ]);
  const size = Math.min(taken * step, extent - first);
  const within = slice(reshape(blocks, [outer, taken * step, inner]), [0, 0, 0], [outer, size, inner]);
  return pad(within, [
    [0, 0],
    [first, extent - first - size],
    [0, 0],
  ]);
}

/** Of any masks: new and dropped axes have one element. */
export const stridedSlice: GradConfig = {
  kernelName: StridedSlice,
  inputsToSave: ['x'],
  gradFunc: (dy, saved, attrs) => {
    const [x] = saved as [Tensor];
    const a = attrs as unknown as StridedSliceAttrs;
    return {
      x: () => {
        const slope = dy as Tensor;
        if (slope.size === 0) return zerosLike(x);
        const { begin, end, strides } = slice_util.sliceInfo(
          x.shape,
          a.begin,
          a.end,
          a.strides,
          a.beginMask,
          a.endMask,
          a.ellipsisMask,
          a.newAxisMask,
          a.shrinkAxisMask,
        );
        const shape = slice_util.computeOutShape(begin, end, strides);
        // From the last axis on, so that what each axis adds is there for the fewest steps.
        return reshape(
          shape.reduceRight((dx, taken, axis) => {
            const extent = x.shape[axis]!;
            if (taken === extent && strides[axis] === 1) return dx;
            const outer = util.sizeFromShape(shape.slice(0, axis));
            const rows = reshape(dx, [outer, taken, util.sizeFromShape(x.shape.slice(axis + 1))]);
            return spread(rows, begin[axis]!, strides[axis]!, extent);
          }, slope),
          x.shape,
        );
      },
    };
  },
};
