import type { TensorInfo } from '@tensorflow/tfjs-core';
import { type HeadLayout, type RotationShape, rotationShape } from '../../contracts/shared/rotation_shape.js';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { times } from '../wgsl/elements.js';
import { pairsApart, pairsWithin, rotatedPair } from '../wgsl/rotation.js';

const WORKGROUP_SIZE = 256;
/** Heads that a thread rotates: all by the same cosines and sines, which it reads once. */
const HEADS = 4;

/** How rows are rotated. */
export interface Rotation {
  layout: HeadLayout;
  /** How many angles of a half are of each of three kinds of places, where cos and sin are [3, B, T, D]. */
  sections?: readonly [number, number, number];
  /** Pairs are (x[2i], x[2i + 1]), and cos and sin have one number for each, instead of (x[i], x[i + R / 2]) and two. */
  interleaved?: boolean;
  /** Applies the transposed rotation: the gradient. */
  transposed: boolean;
}

interface RotationSpec extends Rotation, Pick<RotationShape, 'queryHeads' | 'keyHeads' | 'headSize'> {
  /** How many floats of a head are rotated, the first ones; the rest passes. */
  rotaryDim: number;
  /** cos and sin differ from batch to batch. */
  perBatch: boolean;
}

/**
 * A head as elements, vec4s where they fit: what `turning` threads turn, two elements each, or one that has whole pairs `within`, and
 * then `rest` that pass.
 */
function headElements({ headSize, rotaryDim, sections = [0, 0, 0], interleaved = false }: RotationSpec) {
  const [half, rest] = [rotaryDim / 2, headSize - rotaryDim];
  if (interleaved && headSize % 4 === 0 && rest === 0) {
    return { type: 'vec4f', width: 4, within: true, turning: headSize / 4, rest: 0 } as const;
  }
  const width = [half, rest, ...sections].every((count) => count % 4 === 0) && !interleaved ? 4 : 1;
  const type = width === 4 ? 'vec4f' : 'f32';
  return { type, width, within: false, turning: half / width, rest: rest / width } as const;
}

/** Which row of cos and sin has the angles of `position`, and of `column`. */
function angleRow({ sections, perBatch }: RotationSpec, width: number): string {
  if (!sections) return perBatch ? 'batch * u.length + position' : 'position';
  const [first, second] = sections;
  const kind = `(u32(column >= ${first / width}u) + u32(column >= ${(first + second) / width}u))`;
  return `(${kind} * u.batches + batch) * u.length + position`;
}

const groupsOf = (heads: number) => Math.ceil(heads / HEADS);

/** A workgroup takes 256 pairs, or elements that pass, of the rows of one batch, in `HEADS` heads of q or of k. */
const rotationProgram = defineProgram('rotation', (spec: RotationSpec) => {
  const { layout, queryHeads, keyHeads, transposed, interleaved = false } = spec;
  const { type, width, within, turning, rest } = headElements(spec);
  const angleType = within ? 'f32' : type;
  const queryGroups = groupsOf(queryHeads);
  const groups = queryGroups + groupsOf(keyHeads);
  const [y1, y2] = rotatedPair(transposed);
  const pairs = within ? pairsWithin : pairsApart;
  /** Where the first of two elements with pairs lies in a row, and how far the second is from it. */
  const [place, apart] = interleaved && !within ? ['column * 2u', 1] : ['column', turning];
  const stride = (within ? 1 : 2) * turning + rest;
  /** The angles of an element, from `first` on. */
  const angles = (table: string, first: string) =>
    within ? `vec2f(${table}[${first} * 2u], ${table}[${first} * 2u + 1u])` : `${table}[${first}]`;

  /** The row of a head, of `heads`. */
  const rowOf = (head: string, heads: number) =>
    layout === 'bhtd'
      ? `(batch * ${heads}u + ${head}) * u.length + position`
      : `(batch * u.length + position) * ${heads}u + ${head}`;

  /** Visits the heads from `first` on; all are read before the first is written. */
  const forHeads = (heads: number, read: (i: number) => string, write: (i: number) => string) => {
    const together = Math.min(HEADS, heads);
    return `
    ${times(
      together,
      (i) => `let at${i} = (${rowOf(`min(first + ${i}u, ${heads - 1}u)`, heads)}) * ${stride}u + ${place};
    ${read(i)}`,
    )}
    ${times(
      together,
      (i) => `if (first + ${i}u < ${heads}u) {
      ${write(i)}
    }`,
    )}`;
  };

  const turn = (x: string, y: string, heads: number) =>
    forHeads(
      heads,
      (i) => `let low${i} = ${x}[at${i}];
    ${within ? '' : `let high${i} = ${x}[at${i} + ${apart}u];`}`,
      (i) => `let x1 = ${pairs.first(`low${i}`, `high${i}`)};
      let x2 = ${pairs.second(`low${i}`, `high${i}`)};
      let y1 = ${y1};
      let y2 = ${y2};
      ${y}[at${i}] = ${pairs.low('y1', 'y2')};
      ${within ? '' : `${y}[at${i} + ${apart}u] = ${pairs.high('y1', 'y2')};`}`,
    );

  const pass = (x: string, y: string, heads: number) =>
    forHeads(
      heads,
      (i) => `let x${i} = ${x}[at${i} + ${turning}u];`,
      (i) => `${y}[at${i} + ${turning}u] = x${i};`,
    );

  const eachTensor = (visit: (x: string, y: string, heads: number) => string) => `
  if (group < ${queryGroups}u) {
    let first = group * ${HEADS}u;
    ${visit('q', 'rotatedQ', queryHeads)}
  } else {
    let first = (group - ${queryGroups}u) * ${HEADS}u;
    ${visit('k', 'rotatedK', keyHeads)}
  }`;

  return {
    workgroupSize: WORKGROUP_SIZE,
    reads: { q: type, k: type, cos: angleType, sin: angleType },
    writes: { rotatedQ: type, rotatedK: type },
    uniforms: { batches: 'u32', length: 'u32', tiles: 'u32' },
    body: `
  let group = workgroup % ${groups}u;
  let tile = workgroup / ${groups}u % u.tiles;
  let batch = workgroup / ${groups}u / u.tiles;
  let element = tile * ${WORKGROUP_SIZE}u + thread;
  let position = element / ${turning + rest}u;
  if (position >= u.length) { return; }
  let column = element % ${turning + rest}u;
  ${rest > 0 ? `if (column >= ${turning}u) { ${eachTensor(pass)} return; }` : ''}
  let angle = (${angleRow(spec, width)}) * ${interleaved ? turning : 2 * turning}u + column;
  let cos1 = ${angles('cos', 'angle')};
  let sin1 = ${angles('sin', 'angle')};
  let cos2 = ${interleaved ? 'cos1' : `cos[angle + ${turning}u]`};
  let sin2 = ${interleaved ? 'sin1' : `sin[angle + ${turning}u]`};
  ${eachTensor(turn)}`,
  };
});

interface RotationInputs {
  q: TensorInfo;
  k: TensorInfo;
  cos: TensorInfo;
  sin: TensorInfo;
}

/** q and k, rotated: the kernel of the ops that rotate. */
export function rotate(gpu: Gpu, { q, k, cos, sin }: RotationInputs, rotation: Rotation) {
  const { batches, length, ...sizes } = rotationShape(q, k, rotation.layout);
  const rotatedQ = gpu.output(q.shape);
  const rotatedK = gpu.output(k.shape);
  const perBatch = cos.shape.length > 2 && cos.shape[0] !== 1;
  const rotaryDim = cos.shape.at(-1)! * (rotation.interleaved ? 2 : 1);
  const spec = { ...sizes, ...rotation, rotaryDim, perBatch };
  const { turning, rest } = headElements(spec);
  const tiles = Math.ceil((length * (turning + rest)) / WORKGROUP_SIZE);
  const workgroups = batches * tiles * (groupsOf(sizes.queryHeads) + groupsOf(sizes.keyHeads));
  gpu.run(rotationProgram, spec, { q, k, cos, sin, rotatedQ, rotatedK }, { batches, length, tiles }, workgroups);
  return { rotatedQ, rotatedK };
}
