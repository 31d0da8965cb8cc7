import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { UniformType } from './program.js';

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
  /** What `groupUniforms` declares. */
  readonly uniforms: Readonly<Record<string, number>>;
}

/**
 * Splits tensors into groups of at most `most`: a dispatch for each of hundreds of tensors would leave a large GPU idle
 * between them. Empty tensors are in no group.
 *
 * @param perWorkgroup Elements (vec4s where all sizes in a group allow them, floats otherwise) that a workgroup handles.
 */
export function groupTensors(tensors: readonly TensorInfo[], most: number, perWorkgroup: number): TensorGroup[] {
  const sizes = tensors.map(({ shape }) => util.sizeFromShape(shape));
  const all = [...sizes.keys()].filter((i) => sizes[i]! > 0);
  const groups: TensorGroup[] = [];
  const split = (numbers: number[], type: GroupSpec['type']) => {
    for (let i = 0; i < numbers.length; i += most) {
      const members = numbers.slice(i, i + most);
      const uniforms: Record<string, number> = {};
      let workgroups = 0;
      for (const [k, number] of members.entries()) {
        const elements = type === 'vec4f' ? sizes[number]! / 4 : sizes[number]!;
        uniforms[`first${k}`] = workgroups;
        uniforms[`elements${k}`] = elements;
        workgroups += Math.ceil(elements / perWorkgroup);
      }
      groups.push({ spec: { count: members.length, type }, members, workgroups, uniforms });
    }
  };
  split(
    all.filter((i) => sizes[i]! % 4 === 0),
    'vec4f',
  );
  split(
    all.filter((i) => sizes[i]! % 4 !== 0),
    'f32',
  );
  return groups;
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
