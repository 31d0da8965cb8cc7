/** WGSL that kernels have in common whether they read floats or vec4s of them. */

export type ElementType = 'vec4f' | 'f32';

/** The lowest float32: it starts a maximum, since −∞ − (−∞), between entries that are −∞, would be NaN. */
export const LOWEST = '-3.4028234663852886e38';

/** Rows of `length` floats as elements: vec4s where the length allows them, floats otherwise. */
export function elementsOf(length: number): { type: ElementType; count: number } {
  return length % 4 === 0 ? { type: 'vec4f', count: length / 4 } : { type: 'f32', count: length };
}

/** The sum of an element's components. */
export const sumOf = (type: ElementType, value: string) => (type === 'f32' ? value : `dot(${value}, vec4f(1.0))`);

/** The largest of an element's components. */
export const maxOf = (type: ElementType, value: string) =>
  type === 'f32' ? value : `max(max(${value}.x, ${value}.y), max(${value}.z, ${value}.w))`;

/** The text `count` times, a line each, with its number: loops that index registers would spill them, so they are written out. */
export const times = (count: number, text: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => text(i)).join('\n');

/** 0, 1, … below `count`. */
export const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** The least power of two that is at least `least`. */
export const powerOfTwo = (least: number) => 2 ** Math.ceil(Math.log2(least));
