import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { workgroupReduction } from '../wgsl/reduction.js';

const WORKGROUP_SIZE = 64;
/** Integers for a block: the tokens that it meets, from the first to behind the last, and behind the last key. */
export const RANGE_SIZE = 3;

interface RangesSpec {
  segments: boolean;
  lengths: boolean;
}

/**
 * What each block of tokens meets of the other side: those between the first and the last token of a segment that it has a
 * token of. Behind the ranges of all blocks lie the segments, so that a program binds one buffer for both.
 */
const rangesProgram = defineProgram('attentionRanges', ({ segments, lengths }: RangesSpec, gpu) => ({
  workgroupSize: WORKGROUP_SIZE,
  reads: { ...(segments && { segmentIds: 'i32' as const }), ...(lengths && { keyLengths: 'i32' as const }) },
  writes: { ranges: 'i32' },
  uniforms: {
    others: 'i32',
    keys: 'i32',
    block: 'i32',
    blocks: 'u32',
    rangesAt: 'u32',
    segmentsAt: 'u32',
    ofKeys: 'u32',
  },
  declarations: workgroupReduction(gpu, WORKGROUP_SIZE, 'highest', { type: 'vec2f', op: 'max' }),
  body: `
  let batch = workgroup / u.blocks;
  let first = i32(workgroup % u.blocks) * u.block;
  let end = min(first + u.block, ${segments ? 'u.keys' : '0x7fffffff'});
  var seenFirst = 0;
  var seenEnd = u.others;
  ${
    segments
      ? `
  // Segments are compared as floats, which are exact enough to leave no token out: rounding keeps their order.
  let start = batch * u32(u.keys);
  var lowest = 3e38;
  var largest = -3e38;
  for (var t = first + i32(thread); t < end; t += ${WORKGROUP_SIZE}) {
    let id = segmentIds[start + u32(t)];
    ranges[u.segmentsAt + start + u32(t)] = id;
    lowest = min(lowest, f32(id));
    largest = max(largest, f32(id));
  }
  let bounds = highest(vec2f(-lowest, largest));
  var firstMet = f32(u.keys);
  var lastMet = -1.0;
  for (var t = i32(thread); t < u.keys; t += ${WORKGROUP_SIZE}) {
    let id = f32(segmentIds[start + u32(t)]);
    if (id >= -bounds.x && id <= bounds.y) {
      firstMet = min(firstMet, f32(t));
      lastMet = max(lastMet, f32(t));
    }
  }
  let met = highest(vec2f(-firstMet, lastMet));
  seenFirst = i32(-met.x);
  seenEnd = i32(met.y) + 1;`
      : ''
  }
  let keyEnd = ${lengths ? 'clamp(keyLengths[batch], 0, u.keys)' : 'u.keys'};
  if (u.ofKeys == 1u) {
    if (first >= keyEnd) { seenEnd = 0; }
  } else {
    seenEnd = min(seenEnd, keyEnd);
  }
  if (thread == 0u) {
    let at = u.rangesAt + workgroup * ${RANGE_SIZE}u;
    ranges[at] = seenFirst;
    ranges[at + 1u] = seenEnd;
    ranges[at + 2u] = keyEnd;
  }`,
}));

export interface RangesCall {
  readonly segmentIds: TensorInfo | undefined;
  readonly keyLengths: TensorInfo | undefined;
  readonly batches: number;
  readonly queries: number;
  readonly keys: number;
  /** Tokens of a block, and whether they are keys, which meet queries, or queries, which meet keys. */
  readonly block: number;
  readonly side: 'queries' | 'keys';
  /** Integers that are left free at the beginning. */
  readonly reserved?: number;
}

/** Where things lie in the tensor of ranges. */
export interface Ranges {
  readonly ranges: TensorInfo | undefined;
  readonly rangesAt: number;
  readonly segmentsAt: number;
}

/** The ranges of all blocks, and the segments, after what is reserved. */
export function attentionRanges(gpu: Gpu, call: RangesCall): Ranges {
  const { segmentIds, keyLengths, batches, queries, keys, block, side, reserved = 0 } = call;
  if (!segmentIds && !keyLengths) {
    const ranges = reserved > 0 ? gpu.output([reserved], 'int32') : undefined;
    return { ranges, rangesAt: 0, segmentsAt: 0 };
  }
  const ofKeys = side === 'keys';
  const blocks = Math.ceil((ofKeys ? keys : queries) / block);
  const segmentsAt = reserved + batches * blocks * RANGE_SIZE;
  const ranges = gpu.output([segmentsAt + (segmentIds ? batches * keys : 0)], 'int32');
  const uniforms = {
    others: ofKeys ? queries : keys,
    keys,
    block,
    blocks,
    rangesAt: reserved,
    segmentsAt,
    ofKeys: Number(ofKeys),
  };
  const spec = { segments: segmentIds !== undefined, lengths: keyLengths !== undefined };
  gpu.run(rangesProgram, spec, { segmentIds, keyLengths, ranges }, uniforms, batches * blocks);
  return { ranges, rangesAt: reserved, segmentsAt };
}
