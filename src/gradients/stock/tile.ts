import { fill, reshape, sum, type Tensor, Tile, type TileAttrs, util } from '@tensorflow/tfjs-core';
import type { GradientReplacement } from '../../engine/stock_kernels.js';

/** The most dimensions that tfjs's kernels take on a GPU. */
const MAX_RANK = 6;

/** Dimensions of dy: copies, which are summed over, and what was copied. */
interface Dimension {
  size: number;
  copies: boolean;
}

/** The dimensions of dy, of which none is 1, and neighbours of one kind are one. */
function dimensionsOf(shape: readonly number[], reps: readonly number[]): Dimension[] {
  const dimensions: Dimension[] = [];
  const every = shape.flatMap((size, axis) => [
    { size: reps[axis]!, copies: true },
    { size, copies: false },
  ]);
  for (const { size, copies } of every) {
    const last = dimensions.at(-1);
    if (last?.copies === copies) last.size *= size;
    else if (size !== 1) dimensions.push({ size, copies });
  }
  return dimensions;
}

/** The sum of the copies that `dimensions` tell of; what is too much for one sum is left to others. */
function sumOfCopies(dy: Tensor, dimensions: readonly Dimension[]): Tensor {
  if (!dimensions.some(({ copies }) => copies)) return dy;
  const now = dimensions.slice(0, MAX_RANK - 1);
  const later = dimensions.slice(MAX_RANK - 1);
  const rest = util.sizeFromShape(later.map(({ size }) => size));
  const axes = now.flatMap(({ copies }, axis) => (copies ? [axis] : []));
  const result = sum(reshape(dy, [...now.map(({ size }) => size), rest]), axes);
  const kept = util.sizeFromShape(now.map(({ size, copies }) => (copies ? 1 : size)));
  return sumOfCopies(result, [{ size: kept, copies: false }, ...later]);
}

/** tfjs's slices each copy and adds them one by one, and takes four dimensions at most; broadcastTo is a tile, too. */
export const tile: GradientReplacement = {
  kernelName: Tile,
  gradFunc: (dy, saved, attrs) => {
    const [x] = saved as [Tensor];
    const { reps } = attrs as unknown as TileAttrs;
    const slope = dy as Tensor;
    return {
      x: () =>
        slope.size === 0 ? fill(x.shape, 0) : reshape(sumOfCopies(slope, dimensionsOf(x.shape, reps)), x.shape),
    };
  },
};
