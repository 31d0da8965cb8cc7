import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram, type ProgramFamily, type UniformType } from '../runtime/program.js';
import { type ElementType, elementsOf, times } from '../wgsl/elements.js';

const WORKGROUP_SIZE = 256;
const PER_THREAD = 4;

/** A kernel whose arrays, all of one size, are read and written element by element. */
export interface Elementwise {
  readonly reads: readonly string[];
  /** WGSL ahead of that of `writes`: what they have in common. */
  readonly common?: string;
  /** WGSL of an element of each array that is written. The names of `reads` stand for their elements. */
  readonly writes: Readonly<Record<string, string>>;
  readonly uniforms?: Readonly<Record<string, UniformType>>;
  readonly declarations?: string;
}

export interface Elements {
  type: ElementType;
}

/**
 * A family of elementwise kernels.
 *
 * @param build The kernel of a specialisation, for elements of `type`.
 */
export function defineElementwise<Spec extends object>(
  name: string,
  build: (spec: Spec, type: ElementType) => Elementwise,
): ProgramFamily<Spec & Elements> {
  return defineProgram(name, (spec) => {
    const { type } = spec;
    const { reads, common = '', writes, uniforms, declarations } = build(spec, type);
    const arrays = (names: readonly string[]) => Object.fromEntries(names.map((array) => [array, type] as const));
    const lines = (names: readonly string[], line: (array: string) => string) => names.map(line).join(' ');
    return {
      workgroupSize: WORKGROUP_SIZE,
      reads: arrays(reads),
      writes: arrays(Object.keys(writes)),
      uniforms: { count: 'u32', ...uniforms },
      declarations,
      // All loads come before the first store, so that they are under way together.
      body: `
  let first = workgroup * ${PER_THREAD * WORKGROUP_SIZE}u + thread;
  let last = u.count - 1u;
  ${times(
    PER_THREAD,
    (i) => `let at${i} = first + ${i * WORKGROUP_SIZE}u;
  ${lines(reads, (array) => `let ${array}${i} = ${array}[min(at${i}, last)];`)}`,
  )}
  ${times(
    PER_THREAD,
    (i) => `if (at${i} <= last) {
    ${lines(reads, (array) => `let ${array} = ${array}${i};`)}
    ${common}
    ${lines(Object.keys(writes), (array) => `${array}[at${i}] = ${writes[array]};`)}
  }`,
  )}`,
    };
  });
}

/**
 * Records an elementwise kernel over `tensors`, all of one size. Where that is no multiple of 4 the elements are floats: an
 * array of vec4s would leave out the last ones.
 */
export function runElementwise<Spec extends object>(
  gpu: Gpu,
  family: ProgramFamily<Spec & Elements>,
  spec: Spec,
  tensors: Readonly<Record<string, TensorInfo>>,
  uniforms: Readonly<Record<string, number>> = {},
): void {
  const { type, count } = elementsOf(util.sizeFromShape(Object.values(tensors)[0]!.shape));
  const workgroups = Math.ceil(count / (PER_THREAD * WORKGROUP_SIZE));
  gpu.run(family, { ...spec, type }, tensors, { count, ...uniforms }, workgroups);
}
