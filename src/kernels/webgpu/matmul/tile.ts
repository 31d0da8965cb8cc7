/**
 * How a workgroup covers a block of C: `rows` × `columns` outputs, `depth` terms of the sum at a time. A thread computes
 * `threadRows` × `threadColumns` outputs in registers; threads lie in warps of 32, `laneColumns` of them side by side.
 */
export interface Tile {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly threadRows: number;
  readonly threadColumns: number;
  readonly laneColumns: number;
}

/** From the one with the most arithmetic for each byte to the one that fills a device with the least work. */
export const TILES: readonly Tile[] = [
  { rows: 128, columns: 128, depth: 16, threadRows: 8, threadColumns: 16, laneColumns: 8 },
  { rows: 64, columns: 128, depth: 16, threadRows: 8, threadColumns: 8, laneColumns: 8 },
  { rows: 64, columns: 64, depth: 16, threadRows: 8, threadColumns: 8, laneColumns: 8 },
  { rows: 32, columns: 32, depth: 16, threadRows: 4, threadColumns: 4, laneColumns: 8 },
];

export const threadsOf = (tile: Tile) => (tile.rows / tile.threadRows) * (tile.columns / tile.threadColumns);
