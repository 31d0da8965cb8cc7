/**
 * WGSL of a rotated pair, of `x1`, `x2` and the cosines and sines of both: y1 = x1 · cos1 − x2 · sin1 and
 * y2 = x2 · cos2 + x1 · sin2; transposed, dx1 = dy1 · cos1 + dy2 · sin2 and dx2 = dy2 · cos2 − dy1 · sin1.
 */
export const rotatedPair = (transposed: boolean): readonly [first: string, second: string] =>
  transposed ? ['x1 * cos1 + x2 * sin2', 'x2 * cos2 - x1 * sin1'] : ['x1 * cos1 - x2 * sin1', 'x2 * cos2 + x1 * sin2'];

/** WGSL of the pairs that lie in `low`, an element of a row, and in `high`, another one. */
interface Pairs {
  first(low: string, high: string): string;
  second(low: string, high: string): string;
  /** The elements again, of all first numbers and all second ones. */
  low(first: string, second: string): string;
  high(first: string, second: string): string;
}

/** One of a pair in each. */
export const pairsApart: Pairs = {
  first: (low) => low,
  second: (_, high) => high,
  low: (first) => first,
  high: (_, second) => second,
};

/** Two pairs in a vec4 alone. */
export const pairsWithin: Pairs = {
  first: (low) => `${low}.xz`,
  second: (low) => `${low}.yw`,
  low: (first, second) => `vec4f(${first}.x, ${second}.x, ${first}.y, ${second}.y)`,
  high: () => '',
};
