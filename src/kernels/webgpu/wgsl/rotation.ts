import type { ElementType } from './elements.js';

/**
 * WGSL of a rotated pair, of `x1`, `x2` and the cosines and sines of both: y1 = x1 · cos1 − x2 · sin1 and
 * y2 = x2 · cos2 + x1 · sin2; transposed, dx1 = dy1 · cos1 + dy2 · sin2 and dx2 = dy2 · cos2 − dy1 · sin1.
 */
export const rotatedPair = (transposed: boolean): readonly [first: string, second: string] =>
  transposed ? ['x1 * cos1 + x2 * sin2', 'x2 * cos2 - x1 * sin1'] : ['x1 * cos1 - x2 * sin1', 'x2 * cos2 + x1 * sin2'];

/** WGSL of the pairs that two elements of a row hold, `low` and `high`. */
interface Pairs {
  first(low: string, high: string): string;
  second(low: string, high: string): string;
  /** The elements again, of all first numbers and all second ones. */
  low(first: string, second: string): string;
  high(first: string, second: string): string;
}

const apart: Pairs = {
  first: (low) => low,
  second: (_, high) => high,
  low: (first) => first,
  high: (_, second) => second,
};

const sideBySide: Pairs = {
  first: (low, high) => `vec4f(${low}.xz, ${high}.xz)`,
  second: (low, high) => `vec4f(${low}.yw, ${high}.yw)`,
  low: (first, second) => `vec4f(${first}.x, ${second}.x, ${first}.y, ${second}.y)`,
  high: (first, second) => `vec4f(${first}.z, ${second}.z, ${first}.w, ${second}.w)`,
};

/** How pairs lie in two elements: interleaved, a vec4 has two of them. */
export const pairsIn = (type: ElementType, interleaved: boolean): Pairs =>
  interleaved && type === 'vec4f' ? sideBySide : apart;
