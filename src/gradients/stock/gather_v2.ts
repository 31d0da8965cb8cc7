import {
  add,
  GatherV2,
  type GatherV2Attrs,
  greaterEqual,
  less,
  logicalAnd,
  mul,
  range,
  reshape,
  scalar,
  scatterND,
  type Tensor,
  tensor1d,
  transpose,
  util,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { runKernel } from '../../engine/run_kernel.js';
import type { GradientReplacement } from '../../engine/stock_kernels.js';
import { EmbeddingGrad } from '../../kernels/contracts/embedding.js';

/** The gradient of what all of `outer` share indices for: dy [outer, indices, inner] to dx [outer, extent, inner]. */
function ofShared(dy: Tensor, indices: Tensor, [outer, extent, inner]: readonly [number, number, number]): Tensor {
  const ofGrad = (rows: Tensor) =>
    runKernel(EmbeddingGrad, { dy: rows, indices }, { vocabularySize: extent }).dtable as Tensor;
  if (outer === 1) return ofGrad(reshape(dy, [indices.size, inner]));
  const rows = transpose(reshape(dy, [outer, indices.size, inner]), [1, 0, 2]);
  const table = ofGrad(reshape(rows, [indices.size, outer * inner]));
  return transpose(reshape(table, [extent, outer, inner]), [1, 0, 2]);
}

/** The gradient of what each batch has its own indices for: dy [batch, indices, inner] to dx [batch, extent, inner]. */
function ofBatches(dy: Tensor, indices: Tensor, shape: readonly [number, number, number]): Tensor {
  const [batch, extent, inner] = shape;
  const places = reshape(indices, [batch, -1, 1]);
  const inRange = logicalAnd(greaterEqual(places, scalar(0, 'int32')), less(places, scalar(extent, 'int32')));
  const safe = where(inRange, places, zerosLike(places));
  // Pairs of a batch and an index.
  const first = mul(reshape(range(0, batch, 1, 'int32'), [batch, 1, 1]), tensor1d([1, 0], 'int32'));
  const pairs = add(first, mul(safe, tensor1d([0, 1], 'int32')));
  return scatterND(pairs, where(inRange, reshape(dy, [batch, places.shape[1]!, inner]), scalar(0)), [...shape]);
}

/** tfjs's compares each row of the table with each index, and takes one batch after the other. */
export const gatherV2: GradientReplacement = {
  kernelName: GatherV2,
  gradFunc: (dy, saved, attrs) => {
    const [x, indices, slope] = [...saved, dy] as [Tensor, Tensor, Tensor];
    const { axis, batchDims } = attrs as unknown as GatherV2Attrs;
    const [at] = util.parseAxisParam(axis, x.shape) as [number];
    if ((batchDims !== 0 && batchDims !== at) || x.size === 0 || indices.size === 0) return undefined;
    const [outer, inner] = [x.shape.slice(0, at), x.shape.slice(at + 1)].map(util.sizeFromShape) as [number, number];
    const gradient = batchDims === 0 ? ofShared : ofBatches;
    return {
      x: () => reshape(gradient(slope, indices, [outer, x.shape[at]!, inner]), x.shape),
      indices: () => indices,
    };
  },
};
