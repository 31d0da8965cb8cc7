import { type ElementType, elementsOf, range } from '../wgsl/elements.js';

/** How WGSL reads rows of floats four at a time, whatever their length. */
export interface Quads {
  /** The WGSL type of the array. */
  readonly type: ElementType;
  /** In a row. */
  readonly count: number;
  /** The vec4 of a quad of a row; what lies beyond the row's end is 0. */
  at(array: string, row: string, quad: string): string;
}

export function quadsOf(length: number): Quads {
  const { type } = elementsOf(length);
  const count = Math.ceil(length / 4);
  // Read in any case, so that no branch keeps loads from being under way together.
  const read = (array: string, row: string, at: string, zero: string, end: number) =>
    `select(${zero}, ${array}[${row} * ${end}u + min(${at}, ${end - 1}u)], ${at} < ${end}u)`;
  return {
    type,
    count,
    at: (array, row, quad) =>
      type === 'vec4f'
        ? read(array, row, quad, 'vec4f()', count)
        : `vec4f(${range(4).map((i) => read(array, row, `(${quad} * 4u + ${i}u)`, '0.0', length))})`,
  };
}
