import type { StorageType, UniformType } from '../runtime/program.js';

/** What a convolution goes over: weights of attention, made of their scores, or a gradient as it is. */
export type MapSource = 'softmax' | 'sparsemax' | 'plain';

/** The buffers that hold such a map. */
export const mapReads = (source: MapSource): Record<string, StorageType> => ({
  map: 'f32',
  ...(source !== 'plain' && { stats: 'f32' }),
});

/** The uniforms of a convolution: the sizes of its maps, the zeros around them, and its groups. */
export const convolutionUniforms = {
  inRows: 'u32',
  inColumns: 'u32',
  outRows: 'u32',
  outColumns: 'u32',
  paddingRows: 'i32',
  paddingColumns: 'i32',
  groups: 'u32',
} as const satisfies Record<string, UniformType>;

/**
 * WGSL of `fn mapValue(start, column, last, top, other) -> f32`: the value in a column of a row that begins at `start`, and 0
 * outside of its columns 0 to `last`.
 */
export function mapValue(source: MapSource): string {
  const value = {
    plain: 'value',
    softmax: 'exp(value - top) * other',
    // Not max(…, 0), which need not keep NaN.
    sparsemax: 'select(value - top - other, 0.0, value - top <= other)',
  }[source];
  return `fn mapValue(start: u32, column: i32, last: i32, top: f32, other: f32) -> f32 {
  let value = map[start + u32(clamp(column, 0, last))];
  return select(0.0, ${value}, (column >= 0) & (column <= last));
}`;
}

/** WGSL that finds `start`, `last`, `top` and `other` of row number `row`, `inMap` within its map, for `mapValue`. */
export const mapRow = (source: MapSource, row: string, inMap: string) => `
  let start = ${row} * u.inColumns;
  let last = min(i32(${inMap}), i32(u.inColumns) - 1);
  ${
    source === 'plain'
      ? 'let top = 0.0; let other = 0.0;'
      : `let top = stats[${row} * 2u]; let other = stats[${row} * 2u + 1u];`
  }`;
