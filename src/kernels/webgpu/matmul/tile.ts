import type { Gpu } from '../runtime/gpu.js';

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

/** Relative speed of each tile's inner loop on a full device. */
const TILE_SPEED = [1, 0.85, 0.75, 0.4];

/** Workgroups that a large GPU runs at once with each tile. */
const TILE_CONCURRENCY = [264, 396, 660, 1056];

export const threadsOf = (tile: Tile) => (tile.rows / tile.threadRows) * (tile.columns / tile.threadColumns);

export interface Plan {
  readonly tile: Tile;
  /** Parts that the sum is split into; each is computed by its own workgroups, and they are added in order. */
  readonly slices: number;
}

/** Chooses the tile and the split of the sum by shape: the least estimated time, with the waves of workgroups counted. */
export function choosePlan(_gpu: Gpu, m: number, n: number, k: number): Plan {
  let best: Plan = { tile: TILES[0]!, slices: 1 };
  let bestCost = Infinity;
  TILES.forEach((tile, index) => {
    const tiles = Math.ceil(m / tile.rows) * Math.ceil(n / tile.columns);
    for (const slices of [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]) {
      if (slices > 1 && k / slices < 8 * tile.depth) break;
      const waves = Math.ceil((tiles * slices) / TILE_CONCURRENCY[index]!);
      const perWorkgroup =
        tile.rows * tile.columns * (Math.ceil(k / slices / tile.depth) * tile.depth + 4 * tile.depth);
      // A wave that is not full leaves each SM fewer workgroups to share it.
      const fill = Math.min(1, (tiles * slices) / TILE_CONCURRENCY[index]!);
      const wave = Math.max(fill, 0.5) * TILE_CONCURRENCY[index]!;
      const sum = slices > 1 ? m * n * (slices + 1) * 16 : 0;
      const cost = (waves * perWorkgroup * wave) / TILE_SPEED[index]! + sum;
      if (cost < bestCost) {
        bestCost = cost;
        best = { tile, slices };
      }
    }
  });
  return best;
}
