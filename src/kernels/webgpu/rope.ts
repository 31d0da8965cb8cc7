import { Rope } from '../contracts/rope.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { elementsOf, times } from './wgsl/elements.js';
import { rotatedHalves } from './wgsl/rotation.js';

const WORKGROUP_SIZE = 256;
/** Heads that a thread rotates: all by the same cosines and sines, which it reads once. */
const HEADS = 4;

interface RopeSpec {
  queryHeads: number;
  keyHeads: number;
  headSize: number;
  /** cos and sin differ from batch to batch. */
  perBatch: boolean;
  transposed: boolean;
}

/** Half of a head. */
const halfOf = (headSize: number) => elementsOf(headSize / 2);

const groupsOf = (heads: number) => Math.ceil(heads / HEADS);

/**
 * A workgroup rotates 256 elements of the halves [T, half] in `HEADS` heads of q or of k, of one batch.
 */
const ropeProgram = defineProgram('rope', ({ queryHeads, keyHeads, headSize, perBatch, transposed }: RopeSpec) => {
  const { type, count: half } = halfOf(headSize);
  const row = 2 * half;
  const queryGroups = groupsOf(queryHeads);
  const groups = queryGroups + groupsOf(keyHeads);
  const [y1, y2] = rotatedHalves(transposed);

  /** Rotates the heads from `first` on; all are read before the first is written. */
  const rotate = (x: string, y: string, heads: number) => {
    const together = Math.min(HEADS, heads);
    return `
    ${times(
      together,
      (i) => `let at${i} = (batch * ${heads}u + min(first + ${i}u, ${heads - 1}u)) * u.length * ${row}u + offset;
    let low${i} = ${x}[at${i}];
    let high${i} = ${x}[at${i} + ${half}u];`,
    )}
    ${times(
      together,
      (i) => `if (first + ${i}u < ${heads}u) {
      let x1 = low${i};
      let x2 = high${i};
      ${y}[at${i}] = ${y1};
      ${y}[at${i} + ${half}u] = ${y2};
    }`,
    )}`;
  };

  return {
    workgroupSize: WORKGROUP_SIZE,
    reads: { q: type, k: type, cos: type, sin: type },
    writes: { rotatedQ: type, rotatedK: type },
    uniforms: { length: 'u32', tiles: 'u32' },
    body: `
  let group = workgroup % ${groups}u;
  let tile = workgroup / ${groups}u % u.tiles;
  let batch = workgroup / ${groups}u / u.tiles;
  let element = tile * ${WORKGROUP_SIZE}u + thread;
  let position = element / ${half}u;
  if (position >= u.length) { return; }
  let offset = position * ${row}u + element % ${half}u;
  let angle = ${perBatch ? `batch * u.length * ${row}u + ` : ''}offset;
  let cos1 = cos[angle];
  let cos2 = cos[angle + ${half}u];
  let sin1 = sin[angle];
  let sin2 = sin[angle + ${half}u];
  if (group < ${queryGroups}u) {
    let first = group * ${HEADS}u;
    ${rotate('q', 'rotatedQ', queryHeads)}
  } else {
    let first = (group - ${queryGroups}u) * ${HEADS}u;
    ${rotate('k', 'rotatedK', keyHeads)}
  }`,
  };
});

export const rope = webgpuKernel(Rope, (gpu, { q, k, cos, sin }, { transposed }) => {
  const [batches, queryHeads, length, headSize] = q.shape as [number, number, number, number];
  const keyHeads = k.shape[1]!;
  const rotatedQ = gpu.output(q.shape);
  const rotatedK = gpu.output(k.shape);
  const spec = { queryHeads, keyHeads, headSize, perBatch: cos.shape[0] !== 1, transposed };
  const tiles = Math.ceil((length * halfOf(headSize).count) / WORKGROUP_SIZE);
  const workgroups = batches * tiles * (groupsOf(queryHeads) + groupsOf(keyHeads));
  gpu.run(ropeProgram, spec, { q, k, cos, sin, rotatedQ, rotatedK }, { length, tiles }, workgroups);
  return { rotatedQ, rotatedK };
});
