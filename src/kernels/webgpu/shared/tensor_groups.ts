import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { NumbersMap } from '../../../backend/numbers_map.js';
import type { UniformType } from '../runtime/program.js';

/** The specialisation of a program over a group of tensors. */
export interface GroupSpec {
  /** Tensors in the group. */
  count: number;
  type: 'vec4f' | 'f32';
}

/** Some of a kernel's tensors that share one dispatch, each with workgroups of its own. */
export interface TensorGroup {
  readonly spec: GroupSpec;
  /** The numbers of the tensors among all that were given. */
  readonly members: readonly number[];
  readonly workgroups: number;
  /** The values of what `groupUniforms` declares, in its order. */
  readonly uniforms: readonly number[];
}

/** The most tensors in a group, however many a device could bind. */
const MOST_MEMBERS = 16;

/** The groups of the lists of sizes that were seen: the same few in every step of a training. */
const known = new NumbersMap<TensorGroup[]>(64);

/**
 * Splits tensors into groups of at most `most`: a dispatch for each of hundreds of tensors would leave a large GPU idle
 * between them. None of them may be empty.
 *
 * @param perWorkgroup Elements (vec4s where all sizes in a group allow them, floats otherwise) that a workgroup handles.
 */
export function groupTensors(
  tensors: readonly TensorInfo[],
  most: number,
  perWorkgroup: number,
): readonly TensorGroup[] {
  const sizes = tensors.map(({ shape }) => util.sizeFromShape(shape));
  const key = [most, perWorkgroup, ...sizes];
  let groups = known.get(key);
  if (!groups) {
    const all = [...sizes.keys()];
    const vectors = all.filter((i) => sizes[i]! % 4 === 0);
    const scalars = all.filter((i) => sizes[i]! % 4 !== 0);
    const split = (numbers: number[], type: GroupSpec['type']) =>
      chunks(numbers, Math.min(most, MOST_MEMBERS)).map((members) => makeGroup(members, sizes, type, perWorkgroup));
    groups = [...split(vectors, 'vec4f'), ...split(scalars, 'f32')];
    known.add(key, groups);
  }
  return groups;
}

function chunks(numbers: readonly number[], most: number): number[][] {
  return Array.from({ length: Math.ceil(numbers.length / most) }, (_, i) => numbers.slice(i * most, (i + 1) * most));
}

function makeGroup(
  members: readonly number[],
  sizes: readonly number[],
  type: GroupSpec['type'],
  perWorkgroup: number,
): TensorGroup {
  const firsts: number[] = [];
  const elements: number[] = [];
  let workgroups = 0;
  for (const number of members) {
    const size = type === 'vec4f' ? sizes[number]! / 4 : sizes[number]!;
    firsts.push(workgroups);
    elements.push(size);
    workgroups += Math.ceil(size / perWorkgroup);
  }
  return { spec: { count: members.length, type }, members, workgroups, uniforms: [...firsts, ...elements] };
}

/** Something for each of a group's members, by a name that ends in its number within the group. */
export function forEachMember<T>(count: number, name: string, value: T): Record<string, T> {
  return Object.fromEntries(Array.from({ length: count }, (_, k) => [name + k, value]));
}

/** The uniforms that say which workgroups are whose. */
export function groupUniforms(count: number): Record<string, UniformType> {
  return { ...forEachMember(count, 'first', 'u32' as const), ...forEachMember(count, 'elements', 'u32' as const) };
}

/**
 * WGSL that finds a workgroup's tensor.
 *
 * @param visit WGSL for the group's k-th tensor: `elements` is the number of its elements, and `base` that of the
 *     workgroup's first one.
 */
export function inGroup(count: number, perWorkgroup: number, visit: (k: number) => string): string {
  const branches = Array.from({ length: count }, (_, k) => {
    const condition = k < count - 1 ? `if (workgroup < u.first${k + 1})` : '';
    return `${condition} {
    let base = (workgroup - u.first${k}) * ${perWorkgroup}u;
    let elements = u.elements${k};
    ${visit(k)}
  }`;
  });
  return branches.join(' else ');
}
