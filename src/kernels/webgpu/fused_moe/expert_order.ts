import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { ExpertRows } from '../matmul/experts.js';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { times } from '../wgsl/elements.js';

const WORKGROUP_SIZE = 256;
/** Choices that a workgroup sorts, a workgroup's threads of them at a time. */
const BLOCK = 4 * WORKGROUP_SIZE;
/** Numbers that are read together. */
const IN_FLIGHT = 8;
/** What an expert needs of a workgroup's memory: four numbers. */
const EXPERT_BYTES = 16;

/** How often each expert was chosen in each block: counts [blocks, E]. An index out of range counts nowhere. */
const expertCountsProgram = defineProgram('expertCounts', ({ experts }: { experts: number }) => ({
  workgroupSize: WORKGROUP_SIZE,
  reads: { index: 'i32' },
  writes: { counts: 'i32' },
  uniforms: { choices: 'u32' },
  declarations: `var<workgroup> inBlock: array<atomic<u32>, ${experts}>;`,
  body: `
  for (var i = thread; i < ${BLOCK}u; i += ${WORKGROUP_SIZE}u) {
    let choice = workgroup * ${BLOCK}u + i;
    let expert = select(-1, index[choice], choice < u.choices);
    if (expert >= 0 && expert < ${experts}) { atomicAdd(&inBlock[expert], 1u); }
  }
  workgroupBarrier();
  for (var expert = thread; expert < ${experts}u; expert += ${WORKGROUP_SIZE}u) {
    counts[workgroup * ${experts}u + expert] = i32(atomicLoad(&inBlock[expert]));
  }`,
}));

interface OrderSpec {
  experts: number;
  tileRows: number;
}

/**
 * A counting sort by expert that leaves the choices of each in their order: a choice's place is where its expert begins, past
 * those of earlier blocks, and of earlier threads. Every workgroup adds up the counts of all blocks for itself, which is less work
 * than another dispatch.
 */
const expertOrderProgram = defineProgram('expertOrder', ({ experts, tileRows }: OrderSpec) => ({
  workgroupSize: WORKGROUP_SIZE,
  reads: { index: 'i32', counts: 'i32' },
  writes: { order: 'i32', offsets: 'i32', tiles: 'i32' },
  uniforms: { choices: 'u32', blocks: 'u32', tileCount: 'u32' },
  declarations: `
var<workgroup> totals: array<u32, ${experts}>;
var<workgroup> starts: array<u32, ${experts + 1}>;
var<workgroup> tileStarts: array<u32, ${experts + 1}>;
var<workgroup> next: array<atomic<u32>, ${experts}>;
var<workgroup> chosen: array<i32, ${WORKGROUP_SIZE}>;`,
  body: `
  for (var expert = thread; expert < ${experts}u; expert += ${WORKGROUP_SIZE}u) {
    var before = 0u;
    var total = 0u;
    for (var first = 0u; first < u.blocks; first += ${IN_FLIGHT}u) {
      ${times(IN_FLIGHT, (i) => `let count${i} = u32(counts[min(first + ${i}u, u.blocks - 1u) * ${experts}u + expert]);`)}
      ${times(
        IN_FLIGHT,
        (i) => `before += select(0u, count${i}, first + ${i}u < workgroup);
      total += select(0u, count${i}, first + ${i}u < u.blocks);`,
      )}
    }
    totals[expert] = total;
    atomicStore(&next[expert], before);
  }
  workgroupBarrier();

  for (var expert = thread; expert <= ${experts}u; expert += ${WORKGROUP_SIZE}u) {
    var start = 0u;
    var tileStart = 0u;
    for (var i = 0u; i < expert; i++) {
      start += totals[i];
      tileStart += (totals[i] + ${tileRows - 1}u) / ${tileRows}u;
    }
    starts[expert] = start;
    tileStarts[expert] = tileStart;
    if (expert < ${experts}u) { atomicAdd(&next[expert], start); }
    if (workgroup == 0u) { offsets[expert] = i32(start); }
  }
  workgroupBarrier();

  if (workgroup == 0u) {
    for (var tile = thread; tile < u.tileCount; tile += ${WORKGROUP_SIZE}u) {
      // The last expert whose tiles begin at this one or before: those before it without any choices begin there, too.
      var expert = 0u;
      var last = ${experts}u;
      while (expert < last) {
        let middle = (expert + last + 1u) / 2u;
        if (tileStarts[middle] <= tile) { expert = middle; } else { last = middle - 1u; }
      }
      let isTile = expert < ${experts}u;
      let known = min(expert, ${experts - 1}u);
      tiles[tile * 3u] = select(-1, i32(expert), isTile);
      tiles[tile * 3u + 1u] = i32(starts[known] + (tile - tileStarts[known]) * ${tileRows}u);
      tiles[tile * 3u + 2u] = i32(starts[known + 1u]);
    }
  }

  for (var first = 0u; first < ${BLOCK}u; first += ${WORKGROUP_SIZE}u) {
    let choice = workgroup * ${BLOCK}u + first + thread;
    let expert = select(-1, index[choice], choice < u.choices);
    let isChoice = expert >= 0 && expert < ${experts};
    chosen[thread] = expert;
    workgroupBarrier();
    if (isChoice) {
      var place = atomicLoad(&next[expert]);
      for (var earlier = 0u; earlier < thread; earlier += ${IN_FLIGHT}u) {
        ${times(IN_FLIGHT, (i) => `place += u32((chosen[earlier + ${i}u] == expert) & (earlier + ${i}u < thread));`)}
      }
      order[place] = i32(choice);
    }
    workgroupBarrier();
    if (isChoice) { atomicAdd(&next[expert], 1u); }
    workgroupBarrier();
  }`,
}));

/**
 * Sorts what was chosen by expert, on the device.
 *
 * @param index [..., K], int32.
 * @param tileRows Rows of the tiles that the rows of an expert are cut into.
 */
export function orderByExpert(gpu: Gpu, index: TensorInfo, experts: number, tileRows: number): ExpertRows {
  const most = Math.floor((gpu.limits.maxComputeWorkgroupStorageSize - 4 * WORKGROUP_SIZE) / EXPERT_BYTES) - 1;
  if (experts > most) {
    throw new Error(`fusedMoe: this WebGPU device sorts by at most ${most} experts, but got ${experts}`);
  }
  const choices = util.sizeFromShape(index.shape);
  const blocks = Math.max(1, Math.ceil(choices / BLOCK));
  // Every expert that was chosen may leave its last tile unfilled.
  const tileCount = Math.floor(choices / tileRows) + Math.min(experts, choices);
  const counts = gpu.output([blocks, experts], 'int32');
  const [order, offsets] = [gpu.output([choices], 'int32'), gpu.output([experts + 1], 'int32')];
  const tiles = gpu.output([tileCount, 3], 'int32');
  gpu.run(expertCountsProgram, { experts }, { index, counts }, { choices }, blocks);
  const tensors = { index, counts, order, offsets, tiles };
  gpu.run(expertOrderProgram, { experts, tileRows }, tensors, { choices, blocks, tileCount }, blocks);
  gpu.release(counts);
  return { experts, order, offsets, tiles, tileCount };
}
