import {
  add,
  cast,
  concat,
  div,
  exp,
  expandDims,
  fill,
  greater,
  lessEqual,
  matMul,
  max,
  maximum,
  mul,
  pad,
  range,
  relu,
  reshape,
  slice,
  split,
  stridedSlice,
  sub,
  sum,
  type Tensor,
  type Tensor3D,
  tile,
  transpose,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import {
  type MapShape,
  MultiTokenAttention,
  type MultiTokenAttentionAttrs,
  MultiTokenAttentionGrad,
  mapShape,
} from '../contracts/multi_token_attention.js';
import { composedKernel } from './shared/composed_kernel.js';
import { sparsemaxThreshold } from './shared/sparsemax.js';

/** What a masked score is: so low that its weight is 0. */
const MASKED = -3e38;

/** Whether a column is up to the diagonal, [rows, columns]. */
const isSeen = (rows: number, columns: number) => lessEqual(range(0, columns), expandDims(range(0, rows), 1));

/** `maps` [..., rows, columns], and 0 beyond the diagonal. */
function maskMaps(maps: Tensor): Tensor {
  const [rows, columns] = maps.shape.slice(-2) as [number, number];
  return where(isSeen(rows, columns), maps, zerosLike(maps));
}

function statsOf(scores: Tensor, sparse: boolean): Tensor {
  const length = scores.shape[3]!;
  const masked = where(isSeen(length, length), scores, fill(scores.shape, MASKED));
  const top = max(masked, -1, true);
  const distance = sub(masked, top);
  const other = sparse ? sparsemaxThreshold(maximum(distance, -2)) : div(1, sum(maskMaps(exp(distance)), -1, true));
  return concat([top, other], -1);
}

function weightsOf(scores: Tensor, stats: Tensor, sparse: boolean): Tensor {
  const [top, other] = split(stats, 2, -1) as [Tensor, Tensor];
  const distance = sub(scores, top);
  return maskMaps(sparse ? relu(sub(distance, other)) : mul(exp(distance), other));
}

/**
 * The convolution as a matmul for each place of the kernel: [B · groups, C / groups, rows · columns] of what that place meets, and
 * its own [B · groups, O / groups, C / groups] of the weight.
 */
class Taps {
  private readonly batches: number;
  private readonly places: number;

  constructor(
    private readonly shape: MapShape,
    private readonly attrs: MultiTokenAttentionAttrs,
  ) {
    this.batches = shape.batches * attrs.groups;
    this.places = shape.out[0] * shape.out[1];
  }

  /** Each place of the kernel. */
  map<T>(visit: (row: number, column: number) => T): T[] {
    const [rows, columns] = this.shape.kernel;
    return Array.from({ length: rows * columns }, (_, i) => visit(Math.floor(i / columns), i % columns));
  }

  /** `maps` [B, C, L, L] with zeros around them. */
  padded(maps: Tensor): Tensor {
    const [rows, columns] = this.attrs.padding;
    return pad(maps, [
      [0, 0],
      [0, 0],
      [rows, rows],
      [columns, columns],
    ]);
  }

  met(padded: Tensor, row: number, column: number): Tensor3D {
    const { batches, channels, out, inGroup } = this.shape;
    const { strides, dilations } = this.attrs;
    const begin = [row * dilations[0], column * dilations[1]] as const;
    const end = begin.map((at, i) => at + (out[i]! - 1) * strides[i]! + 1);
    const met = stridedSlice(padded, [0, 0, ...begin], [batches, channels, ...end], [1, 1, ...strides]);
    return reshape(met, [this.batches, inGroup, this.places]) as Tensor3D;
  }

  weight(weight: Tensor, row: number, column: number): Tensor3D {
    const { batches, outChannels, outGroup, inGroup } = this.shape;
    const own = slice(weight, [0, 0, row, column], [outChannels, inGroup, 1, 1]);
    const ofGroups = reshape(own, [this.attrs.groups, outGroup, inGroup]) as Tensor3D;
    return tile(ofGroups, [batches, 1, 1]);
  }

  /** y, or its gradient, as the matmuls have it. */
  flat(y: Tensor): Tensor3D {
    return reshape(y, [this.batches, this.shape.outGroup, this.places]) as Tensor3D;
  }

  /** The reverse of `met`: values of what a place meets, where it meets them, and zeros elsewhere. */
  spread(met: Tensor, row: number, column: number): Tensor {
    const { batches, channels, length, out } = this.shape;
    const { strides, dilations, padding } = this.attrs;
    const maps = batches * channels;
    const [rows, columns] = out;
    const width = columns * strides[1];
    const height = rows * strides[0];
    const apart = pad(reshape(met, [maps * rows, columns, 1]), [
      [0, 0],
      [0, 0],
      [0, strides[1] - 1],
    ]);
    const grid = pad(reshape(apart, [maps, rows, width]), [
      [0, 0],
      [0, 0],
      [0, (strides[0] - 1) * width],
    ]);
    // What strides leave behind the last value may lie beyond the padded scores.
    const used = slice(
      reshape(grid, [maps, height, width]),
      [0, 0, 0],
      [maps, height - strides[0] + 1, width - strides[1] + 1],
    );
    const around = [row * dilations[0], column * dilations[1]].map((before, i): [number, number] => {
      return [before, length + 2 * padding[i]! - before - used.shape[i + 1]!];
    });
    const padded = pad(used, [[0, 0], ...around]);
    const maps4d = slice(padded, [0, ...padding], [maps, length, length]);
    return reshape(maps4d, [batches, channels, length, length]);
  }
}

const addAll = (terms: readonly Tensor[]) => terms.reduce((total, term) => add(total, term));

export const multiTokenAttention = composedKernel(MultiTokenAttention, ({ scores, weight, bias }, attrs) => {
  const shape = mapShape(scores.shape, weight.shape, attrs);
  const taps = new Taps(shape, attrs);
  const stats = statsOf(scores, attrs.sparse);
  const padded = taps.padded(weightsOf(scores, stats, attrs.sparse));
  const flat = addAll(
    taps.map((row, column) => matMul(taps.weight(weight, row, column), taps.met(padded, row, column))),
  );
  const y = reshape(flat, [shape.batches, shape.outChannels, ...shape.out]);
  return { y: maskMaps(bias ? add(y, reshape(bias, [shape.outChannels, 1, 1])) : y), stats };
});

export const multiTokenAttentionGrad = composedKernel(
  MultiTokenAttentionGrad,
  ({ dy, scores, stats, weight }, { dscores, dweight, dbias, ...attrs }) => {
    const shape = mapShape(scores.shape, weight.shape, attrs);
    const { batches, outChannels, inGroup, kernel } = shape;
    const taps = new Taps(shape, attrs);
    const maskedDy = maskMaps(dy);
    const flatDy = taps.flat(maskedDy);
    const weights = weightsOf(scores, stats, attrs.sparse);

    const weightGrad = () => {
      const padded = taps.padded(weights);
      const ofTaps = taps.map((row, column) => {
        // Not by matmul's own transposition: stock WebGPU's is wrong where sums are long and there is one batch.
        const ofBatches = matMul(flatDy, transpose(taps.met(padded, row, column), [0, 2, 1]));
        return sum(reshape(ofBatches, [batches, outChannels, inGroup, 1]), 0);
      });
      return reshape(concat(ofTaps, -1), [outChannels, inGroup, ...kernel]);
    };

    const scoreGrad = () => {
      const dweights = addAll(
        taps.map((row, column) => taps.spread(matMul(taps.weight(weight, row, column), flatDy, true), row, column)),
      );
      // The slope of sparsemax is the same for all of its support.
      const slope = attrs.sparse ? cast(greater(weights, 0), 'float32') : weights;
      const mean = div(sum(mul(slope, dweights), -1, true), sum(slope, -1, true));
      return mul(slope, sub(dweights, mean));
    };

    return {
      dscores: dscores ? scoreGrad() : undefined,
      dweight: dweight ? weightGrad() : undefined,
      dbias: dbias ? sum(maskedDy, [0, 2, 3]) : undefined,
    };
  },
);
