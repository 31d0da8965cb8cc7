import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import {
  FlashAttention,
  type FlashAttentionAttrs,
  FlashAttentionGrad,
  type FlashAttentionInputs,
  FlashAttentionWithLse,
} from '../contracts/flash_attention.js';
import { type AttentionShape, attentionShape } from '../contracts/shared/attention_shape.js';
import {
  type BackwardSpec,
  backwardProgram,
  biasGradProgram,
  chunksOfRun,
  deltaProgram,
  querySumProgram,
  sinkGradProgram,
} from './attention/backward.js';
import { combineProgram, type ForwardSpec, forwardProgram } from './attention/forward.js';
import { contiguousStrides, type HeadRows, headRows, quadsOf, strideValues } from './attention/heads.js';
import { rotatedOperands } from './attention/operands.js';
import { attentionRanges } from './attention/ranges.js';
import { rotate } from './attention/rotate.js';
import { type ScoreSpec, scoreSpec, scoreValues } from './attention/scores.js';
import { type AttentionTile, backwardTile, columnsOf, forwardTile, rowsOf } from './attention/tile.js';
import type { Gpu, UniformValue } from './runtime/gpu.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';

/** Heads with fewer queries than this have the rows of all that share their keys in one block. */
const FEW_QUERIES = 32;
/** Workgroups that should have work, where a call has few rows and many keys, and the blocks of keys that each should have. */
const WANTED_WORKGROUPS = 528;
const LEAST_BLOCKS = 2;

function forward(gpu: Gpu, inputs: FlashAttentionInputs, attrs: FlashAttentionAttrs) {
  const shape = attentionShape(inputs, attrs);
  const { batches, queryHeads, keyHeads, group, queries, keys, headSize } = shape;
  const y = gpu.output(shape.yShape);
  const lse = gpu.output([batches, queryHeads, queries]);
  const operands = rotatedOperands(gpu, inputs, shape);
  const rows = headRows(headSize);
  const grouped = group > 1 && queries < FEW_QUERIES;
  const rowCount = grouped ? group * queries : queries;
  const heads = batches * (grouped ? keyHeads : queryHeads);
  const tile = forwardTile(headSize, rowCount, gpu);
  const blocks = Math.ceil(rowCount / rowsOf(tile));
  const splits = splitsOf(queries, heads * blocks, Math.ceil(keys / columnsOf(tile)));
  const spec: ForwardSpec = {
    ...scoreSpec(inputs, attrs),
    ...rows,
    tile,
    sinks: inputs.sinks !== undefined,
    grouped,
    split: splits > 1,
  };
  const { segmentIds, keyLengths, bias, sinks } = inputs;
  const { ranges, ...places } = attentionRanges(gpu, {
    segmentIds,
    keyLengths,
    batches,
    queries,
    keys,
    // Rows of several heads have every query: one range for them all.
    block: grouped ? queries : rowsOf(tile),
    side: 'queries',
  });
  const rowsOfAll = batches * queryHeads * queries;
  const parts = splits > 1 ? gpu.output([splits, rowsOfAll, headSize]) : undefined;
  const partLse = splits > 1 ? gpu.output([splits, rowsOfAll]) : undefined;
  const unit = rows.vectors ? 4 : 1;
  const uniforms = {
    heads,
    blocks,
    splits,
    ySplit: (rowsOfAll * headSize) / unit,
    lseSplit: rowsOfAll,
    ...places,
    ...scoreValues(inputs, attrs, shape),
    ...strideValues(rows, {
      ...operands.strides,
      y: parts ? contiguousStrides(queryHeads, queries, headSize) : shape.strides.y,
    }),
  };
  const { q, k, v } = operands;
  const tensors = { q, k, v, bias, sinks, ranges, y: parts ?? y, lse: partLse ?? lse };
  gpu.run(forwardProgram, spec, tensors, uniforms, heads * blocks * splits);
  if (parts) {
    const combined = { rows: rowsOfAll, queryHeads, queries, splits, ...strideValues(rows, { y: shape.strides.y }) };
    const workgroups = Math.ceil((rowsOfAll * quadsOf(headSize)) / 64);
    gpu.run(combineProgram, rows, { parts, partLse, y, lse }, combined, workgroups);
  }
  gpu.release(parts, partLse, ranges, ...operands.scratch);
  return { y, lse };
}

/** How many parts of a call's keys are gone over side by side: enough to fill a device, where there are that many blocks. */
function splitsOf(queries: number, workgroups: number, keyBlocks: number): number {
  if (queries > FEW_QUERIES) return 1;
  return Math.max(1, Math.min(Math.ceil(WANTED_WORKGROUPS / workgroups), Math.floor(keyBlocks / LEAST_BLOCKS)));
}

export const flashAttention = webgpuKernel(FlashAttention, forward);
export const flashAttentionWithLse = webgpuKernel(FlashAttentionWithLse, forward);

/** Tensors of dq that are added up: no more than these, so that memory grows with T alone. */
const MOST_DQ = 16;
/** Workgroups that a backward pass should have at least, and those that the measured device, an H200, runs at a time. */
const BACKWARD_WORKGROUPS = 264;
const AT_A_TIME = 132;
/** How much of the device's time more workgroups have to save, for the memory that they take. */
const WORTHWHILE = 0.05;

/** Workgroups that share the blocks of keys of a head. */
function partsOf(heads: number, keyBlocks: number): number {
  const use = (parts: number) => (heads * parts) / (Math.ceil((heads * parts) / AT_A_TIME) * AT_A_TIME);
  const least = Math.min(keyBlocks, Math.ceil(BACKWARD_WORKGROUPS / heads));
  let best = least;
  for (let parts = least + 1; parts <= Math.min(keyBlocks, 4 * least); parts++) {
    if (use(parts) > use(best) + WORTHWHILE) best = parts;
  }
  return best;
}

export const flashAttentionGrad = webgpuKernel(FlashAttentionGrad, (gpu, inputs, attrs) => {
  const shape = attentionShape(inputs, attrs);
  const { batches, queryHeads, keyHeads, queries, keys, headSize, isPacked, strides } = shape;
  const { dy, y, lse, dlse, segmentIds, keyLengths, bias, sinks, cos, sin } = inputs;
  const rows = headRows(headSize);
  const tile = backwardTile(headSize, gpu);
  const dq = gpu.output(inputs.q.shape);
  const dk = inputs.k && gpu.output(inputs.k.shape);
  const dv = inputs.v && gpu.output(inputs.v.shape);
  const operands = rotatedOperands(gpu, inputs, shape);

  const rowCount = batches * queryHeads * queries;
  const { ranges: stats, ...places } = attentionRanges(gpu, {
    segmentIds,
    keyLengths,
    batches,
    queries,
    keys,
    block: rowsOf(tile),
    side: 'keys',
    reserved: rowCount * 2,
  });
  const deltas = { queryHeads, queries, ...strideValues(rows, { y: strides.y }) };
  const deltaSpec = { ...rows, hasDlse: dlse !== undefined };
  gpu.run(deltaProgram, deltaSpec, { y, dy, lse, dlse, stats }, deltas, { rows: rowCount });

  const keyBlocks = Math.ceil(keys / rowsOf(tile));
  const call: BackwardCall = {
    shape,
    tile,
    keyBlocks,
    spec: { ...scoreSpec(inputs, attrs), ...rows, tile },
    tensors: { q: operands.q, k: operands.k, v: operands.v, dy, bias, stats },
    uniforms: {
      ...places,
      ...scoreValues(inputs, attrs, shape),
      ...strideValues(rows, { ...operands.strides, dy: strides.y, dq: strides.q, dk: strides.k, dv: strides.v }),
      batches,
      keyHeads,
      keyBlocks,
      slope: attrs.scale,
    },
  };
  gradients(gpu, call, { dq, dk, dv });
  if (cos && sin) {
    const back = { x: undefined, cos, sin, batches, headSize, transposed: true };
    rotate(gpu, { ...back, y: dq, from: strides.q, to: strides.q, heads: queryHeads, length: queries });
    rotate(gpu, { ...back, y: isPacked ? dq : dk!, from: strides.k, to: strides.k, heads: keyHeads, length: keys });
  }
  const dbias = attrs.bias && bias ? biasGrad(gpu, call, bias) : undefined;
  let dsinks: TensorInfo | undefined;
  if (attrs.sinks && sinks) {
    dsinks = gpu.output(sinks.shape);
    gpu.run(sinkGradProgram, {}, { stats, sinks, dsinks }, { batches, queryHeads, queries }, queryHeads);
  }
  gpu.release(stats, ...operands.scratch);
  return { dq, dk, dv, dbias, dsinks };
});

/** What the programs of a backward pass have in common. */
interface BackwardCall {
  readonly shape: AttentionShape;
  readonly tile: AttentionTile;
  /** Blocks that the keys of a head are. */
  readonly keyBlocks: number;
  readonly spec: ScoreSpec & HeadRows & { readonly tile: AttentionTile };
  readonly tensors: Readonly<Record<string, TensorInfo | undefined>>;
  readonly uniforms: Readonly<Record<string, UniformValue>>;
}

/** dq, dk and dv; without dk and dv, all three within dq. */
function gradients(
  gpu: Gpu,
  { shape, tile, keyBlocks, spec, tensors, uniforms }: BackwardCall,
  { dq, dk, dv }: { dq: TensorInfo; dk: TensorInfo | undefined; dv: TensorInfo | undefined },
): void {
  const { batches, queryHeads, keyHeads, queries, isPacked } = shape;
  const { headSize, vectors } = spec;
  const quads = quadsOf(headSize);
  const parts = partsOf(batches * keyHeads, keyBlocks);
  // Where more workgroups share a head than there may be tensors of dq, they take a part of the queries at a time.
  const together = Math.min(1, MOST_DQ / parts) * queries;
  const step = Math.max(1, Math.ceil(together / columnsOf(tile))) * columnsOf(tile);
  const partRows = Math.min(step, queries);
  const dqParts = gpu.output([parts, batches * queryHeads, partRows, quads * 4]);
  // Programs may bind eight buffers on any device: with a bias, keys and queries take turns where there are no more.
  const isTight = spec.bias && gpu.limits.maxStorageBuffersPerShaderStage < 9;
  const runs = isTight
    ? [
        { ofKeys: true, ofQueries: false },
        { ofKeys: false, ofQueries: true },
      ]
    : [{ ofKeys: true, ofQueries: true }];
  for (let firstQuery = 0; firstQuery < queries; firstQuery += step) {
    const queryCount = Math.min(step, queries - firstQuery);
    const chunk = { ...uniforms, parts, firstQuery, queryCount };
    for (let firstQuad = 0; firstQuad < quads; firstQuad += chunksOfRun(spec) * tile.depth) {
      for (const run of runs) {
        const chosen: BackwardSpec = { ...spec, ...run, packed: isPacked, accumulate: firstQuery > 0 };
        const outputs = isPacked ? { dqkv: dq } : { dk, dv };
        const values = { ...chunk, firstQuad };
        gpu.run(backwardProgram, chosen, { ...tensors, ...outputs, dqParts }, values, parts * batches * keyHeads);
      }
    }
    const count = batches * queryHeads * queryCount * quads;
    gpu.run(querySumProgram, { headSize, vectors }, { dqParts, dq }, { ...chunk, count }, Math.ceil(count / 256));
  }
  gpu.release(dqParts);
}

function biasGrad(gpu: Gpu, { spec, tile, shape, tensors, uniforms }: BackwardCall, bias: TensorInfo): TensorInfo {
  const dbias = gpu.output(bias.shape);
  if (util.sizeFromShape(bias.shape) === 0) return dbias;
  const [biasBatches, biasHeads, rows, columns] = bias.shape as [number, number, number, number];
  const [perQuery, perKey] = [rows > 1, columns > 1];
  const queryTiles = perQuery ? Math.ceil(shape.queries / columnsOf(tile)) : 1;
  const keyTiles = perKey ? Math.ceil(shape.keys / rowsOf(tile)) : 1;
  const values = { ...uniforms, biasBatches, biasHeads, queryTiles, keyTiles };
  const workgroups = biasBatches * biasHeads * queryTiles * keyTiles;
  gpu.run(biasGradProgram, { ...spec, perQuery, perKey }, { ...tensors, dbias }, values, workgroups);
  return dbias;
}
