import { NumbersMap } from '../../../backend/numbers_map.js';

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

/**
 * A tile, and what a multiprocessor needs for one of it with 768 terms, in microseconds: what chooses best among the measured
 * times of 77 products on an H200.
 */
export interface MeasuredTile extends Tile {
  /** How many take turns so evenly that they end together. */
  readonly together: number;
  /** When there are many. */
  readonly busy: number;
  /** When it is alone: the latency that nothing hides. */
  readonly alone: number;
}

/** From the one with the most arithmetic for each byte to the one that fills a device with the least work. */
export const TILES: readonly MeasuredTile[] = [
  {
    rows: 128,
    columns: 128,
    depth: 16,
    threadRows: 8,
    threadColumns: 16,
    laneColumns: 8,
    together: 2,
    busy: 81.6,
    alone: 177.6,
  },
  {
    rows: 64,
    columns: 128,
    depth: 16,
    threadRows: 8,
    threadColumns: 8,
    laneColumns: 8,
    together: 1,
    busy: 44.5,
    alone: 101.5,
  },
  {
    rows: 64,
    columns: 64,
    depth: 16,
    threadRows: 8,
    threadColumns: 8,
    laneColumns: 8,
    together: 1,
    busy: 33.8,
    alone: 64.8,
  },
  {
    rows: 32,
    columns: 32,
    depth: 16,
    threadRows: 4,
    threadColumns: 4,
    laneColumns: 8,
    together: 1,
    busy: 9.4,
    alone: 51.5,
  },
];

const SLICES = [1, 2, 3, 4, 6, 8, 12, 16];
/** WebGPU doesn't tell how many multiprocessors a device has. A guess that is too high only makes tiles too small. */
const MULTIPROCESSORS = 132;
/** Microseconds for a dispatch, for a float that the sum of the slices moves, and for waiting until they are there. */
const DISPATCH = 21.6;
const SUM_FLOAT = 6.9e-7;
const SUM_DISPATCH = 4.3;
/** Splitting costs memory for the parts: floats that they may take unless a call says otherwise. */
const MOST_PARTS = 24e6;

export const threadsOf = (tile: Tile) => (tile.rows / tile.threadRows) * (tile.columns / tile.threadColumns);

export interface Plan {
  readonly tile: MeasuredTile;
  /** Parts that the sum is split into; each is computed by its own workgroups, and they are added in order. */
  readonly slices: number;
}

const plans = new NumbersMap<Plan>(4096);

/** Chooses the tile and the split of the sum for a shape: those that should take the least time. The sums of several products are whole. */
export function choosePlan(m: number, n: number, k: number, mostParts = MOST_PARTS, batch = 1): Plan {
  const key = [m, n, k, mostParts, batch];
  const known = plans.get(key);
  if (known) return known;
  let best: Plan = { tile: TILES[0]!, slices: 1 };
  let bestTime = Infinity;
  for (const tile of TILES) {
    for (const slices of SLICES) {
      if (slices > 1 && (batch > 1 || slices * m * n > mostParts || k / slices < 8 * tile.depth)) break;
      const time = estimate(tile, slices, m, n, k, batch);
      if (time < bestTime) {
        bestTime = time;
        best = { tile, slices };
      }
    }
  }
  plans.add(key, best);
  return best;
}

/**
 * Chooses the tile for a product whose sum can't be split, of those for which `suits` holds.
 *
 * @param groups How many parts of C's rows have tiles of their own, of sizes that are not known. Default 1: all of them.
 */
export function chooseTile(m: number, n: number, k: number, suits: (tile: Tile) => boolean, groups = 1): number {
  let best = 0;
  let bestTime = Infinity;
  for (const [number, tile] of TILES.entries()) {
    if (!suits(tile)) continue;
    const rowTiles = groups === 1 ? Math.ceil(m / tile.rows) : m / tile.rows + groups / 2;
    const time = tileTime(tile, Math.ceil(rowTiles) * Math.ceil(n / tile.columns), k);
    if (time >= bestTime) continue;
    best = number;
    bestTime = time;
  }
  return best;
}

/** Microseconds for as many tiles, of sums of `k` terms. */
function tileTime(tile: MeasuredTile, tiles: number, k: number): number {
  const share = Math.ceil(Math.ceil(tiles / MULTIPROCESSORS) / tile.together) * tile.together;
  return Math.max(tile.alone, tile.busy * share) * (k / 768 + 0.02);
}

function estimate(tile: MeasuredTile, slices: number, m: number, n: number, k: number, batch: number): number {
  const tiles = Math.ceil(m / tile.rows) * Math.ceil(n / tile.columns) * slices * batch;
  const sum = slices > 1 ? m * n * (slices + 1) * SUM_FLOAT + SUM_DISPATCH : 0;
  // Of plans that take about as long, the one with the fewest parts needs the least memory.
  return (DISPATCH + tileTime(tile, tiles, k / slices) + sum) * (1 + 0.0024 * slices);
}
