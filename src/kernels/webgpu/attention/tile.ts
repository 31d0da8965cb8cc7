import type { DeviceTraits } from '../runtime/program.js';
import { quadsOf } from './heads.js';

/**
 * How a workgroup covers a block of the rows that it keeps and walks over blocks of the others: `rowLanes` × `columnLanes`
 * threads, each with `threadRows` rows and `columnQuads` vec4s of columns of a block of scores.
 */
export interface AttentionTile {
  readonly rowLanes: number;
  readonly columnLanes: number;
  readonly threadRows: number;
  readonly columnQuads: number;
  /** Vec4s of a head that are multiplied at a time where scores are computed. */
  readonly depth: number;
  /** Terms that are written out one after another. */
  readonly unroll: number;
}

export const threadsOf = ({ rowLanes, columnLanes }: AttentionTile) => rowLanes * columnLanes;
export const rowsOf = ({ rowLanes, threadRows }: AttentionTile) => rowLanes * threadRows;
export const columnsOf = ({ columnLanes, columnQuads }: AttentionTile) => columnLanes * columnQuads * 4;

const tileOf = (
  rowLanes: number,
  columnLanes: number,
  threadRows: number,
  columnQuads: number,
  depth: number,
  unroll: number,
): AttentionTile => ({ rowLanes, columnLanes, threadRows, columnQuads, depth, unroll });

const fits = (tile: AttentionTile, { limits }: DeviceTraits, bytes: number) =>
  bytes <= limits.maxComputeWorkgroupStorageSize && threadsOf(tile) <= limits.maxComputeInvocationsPerWorkgroup;

/** Without subgroups, the reductions over a row take this much of a workgroup's memory for a thread. */
const REDUCTION_BYTES = 32;

const scratchBytes = (tile: AttentionTile, { hasSubgroups, subgroupMinSize }: DeviceTraits) =>
  hasSubgroups && subgroupMinSize >= tile.columnLanes ? 0 : threadsOf(tile) * REDUCTION_BYTES;

export interface ForwardTile extends AttentionTile {
  /** Keys whose values are in workgroup memory at a time. */
  readonly valueRows: number;
}

/** Bytes that the forward program needs for queries or weights, and for keys. */
const scoreBytes = (tile: AttentionTile) =>
  16 * (rowsOf(tile) * Math.max(tile.depth, columnsOf(tile) / 4) + columnsOf(tile) * tile.depth);

/** The tile of the forward program, for `rows` queries of a head. */
export function forwardTile(headSize: number, rows: number, gpu: DeviceTraits): ForwardTile {
  const quads = quadsOf(headSize);
  const candidates =
    rows <= 8
      ? [tileOf(8, 8, 1, 1, 8, 2)]
      : [
          ...(rows > 64 ? [tileOf(16, 16, quads <= 16 ? 8 : 4, 1, 16, 8)] : []),
          ...(rows > 32 ? [tileOf(16, 16, 4, 1, 16, 2)] : []),
          tileOf(8, 8, 4, 1, 8, 1),
        ];
  for (const tile of candidates) {
    const keys = columnsOf(tile);
    const valueBytes = 16 * Math.ceil(quads / tile.columnLanes) * tile.columnLanes;
    for (let valueRows = keys; valueRows >= 4; valueRows /= 2) {
      // Values that have the shape of the keys' tile take its place.
      const shares = valueRows === keys && tile.depth === tile.columnLanes * Math.ceil(quads / tile.columnLanes);
      const bytes = scoreBytes(tile) + (shares ? 0 : valueRows * valueBytes) + scratchBytes(tile, gpu);
      if (fits(tile, gpu, bytes) && (valueRows * 4 >= keys || tile === candidates.at(-1)))
        return { ...tile, valueRows };
    }
  }
  throw new Error(`flashAttention: heads of ${headSize} floats need more workgroup memory than this device has`);
}

/** The tile of the backward program: rows are keys, columns are queries. */
export function backwardTile(headSize: number, gpu: DeviceTraits): AttentionTile {
  const quads = quadsOf(headSize);
  // Where it was measured; on smaller devices fewer threads share a block.
  const isLarge = gpu.limits.maxComputeWorkgroupStorageSize >= 48 * 1024;
  const candidates = [
    ...(quads > 8 && isLarge ? [tileOf(16, 16, 4, 1, 16, 4)] : []),
    ...(quads > 8 ? [tileOf(8, 16, 4, 1, 16, 1)] : []),
    tileOf(8, 8, 4, 1, 8, 1),
  ];
  const tile = candidates.find((candidate) => fits(candidate, gpu, backwardBytes(candidate)));
  if (!tile)
    throw new Error(`flashAttention: heads of ${headSize} floats need more workgroup memory than this device has`);
  return tile;
}

/** Bytes for keys, for queries, and for the gradients of their outputs. */
const backwardBytes = (tile: AttentionTile) => 16 * tile.depth * (rowsOf(tile) + 2 * columnsOf(tile));
