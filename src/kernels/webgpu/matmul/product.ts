import type { StorageType } from '../runtime/program.js';
import { times } from '../wgsl/elements.js';
import { OperandLoader, type OperandRows, type OperandSpec } from './operand.js';
import { TILES, threadsOf } from './tile.js';

/** What a product's WGSL depends on. */
export interface ProductSpec {
  /** Its number in TILES: specialisations are looked up on every call, so they are kept short. */
  readonly tile: number;
  readonly a: OperandSpec;
  readonly b: OperandSpec;
  /** Whether the sum may end within a part of a tile's depth. */
  readonly kTail: boolean;
}

/** Where rows lie that are not in order. */
interface ProductRows {
  readonly a?: OperandRows;
  readonly b?: OperandRows;
}

/** Rows of tiles that workgroups cover before they go on to the next column, so that what they share stays in the cache. */
const GROUP_HEIGHT = 8;

/**
 * WGSL that finds `tileRow` and `tileColumn`, the place of a workgroup's tile in C, of `tileRows` × `tileColumns`, from its
 * number among C's tiles.
 */
export const tilePlace = (number: string) => `
  let group = ${number} / (${GROUP_HEIGHT}u * tileColumns);
  let groupHeight = min(${GROUP_HEIGHT}u, tileRows - group * ${GROUP_HEIGHT}u);
  let inGroup = ${number} % (${GROUP_HEIGHT}u * tileColumns);
  let tileRow = group * ${GROUP_HEIGHT}u + inGroup % groupHeight;
  let tileColumn = inGroup / groupHeight;`;

/**
 * The WGSL of one tile of A · B. Half of a workgroup's threads fetch A and half B, one part of the sum ahead of the one that
 * is multiplied. A thread's rows lie in quads as far apart as its warp is high, so that a warp reads shared memory without
 * conflicts. Every accumulator is a named vec4: arrays that are indexed at run time would leave the registers.
 */
export class TileProduct {
  readonly workgroupSize: number;
  /** The buffers `a` and `b`. */
  readonly reads: Readonly<Record<'a' | 'b', StorageType>>;
  /** Quads of columns that a thread has. */
  readonly columnQuads: number;
  /** How many threads lie side by side, a quad each, before a thread's next quad. */
  readonly laneColumns: number;
  private readonly a: OperandLoader;
  private readonly b: OperandLoader;

  constructor(
    private readonly spec: ProductSpec,
    rows: ProductRows = {},
  ) {
    const tile = TILES[spec.tile]!;
    this.workgroupSize = threadsOf(tile);
    this.a = new OperandLoader('a', spec.a, tile, this.workgroupSize / 2, spec.kTail, rows.a);
    this.b = new OperandLoader('b', spec.b, tile, this.workgroupSize / 2, spec.kTail, rows.b);
    const type = (operand: OperandSpec): StorageType => (operand.vectors ? 'vec4f' : 'f32');
    this.reads = { a: type(spec.a), b: type(spec.b) };
    this.columnQuads = this.b.spread.steps;
    this.laneColumns = this.b.spread.lanes;
  }

  get declarations(): string {
    return `
var<workgroup> aTile: ${this.a.type};
var<workgroup> bTile: ${this.b.type};`;
  }

  /** WGSL of a thread's place and of its sums, which are 0; `sum` stands after it. */
  get begin(): string {
    const { a, b, columnQuads, laneColumns } = this;
    const { threadRows } = TILES[this.spec.tile]!;
    return `
  let lane = thread % 32u;
  let warp = thread / 32u;
  let warpRow = warp / ${b.spread.warps}u;
  let warpColumn = warp % ${b.spread.warps}u;
  let laneRow = lane / ${laneColumns}u;
  let laneColumn = lane % ${laneColumns}u;
  let rowQuad = warpRow * ${a.spread.lanes * a.spread.steps}u + laneRow;
  ${times(threadRows, (i) => times(columnQuads, (j) => `var c${i}_${j}: vec4f;`))}`;
  }

  /**
   * WGSL that adds the terms from `kStart` to below `kEnd` to the sums. It finds `aStart`, the tile's first row, `bStart`, its first
   * column, and of each operand what is bound to it: `aOffset`, `aStride` and `aExtent`.
   */
  get sum(): string {
    const { a, b, columnQuads } = this;
    const { depth } = TILES[this.spec.tile]!;
    const { steps: rowQuads } = a.spread;
    const loaders = this.workgroupSize / 2;
    const fetch = (k: string) => `
    if (thread < ${loaders}u) { ${a.fetch('thread', k)} }
    else { ${b.fetch(`(thread - ${loaders}u)`, k)} }`;
    const multiply = times(
      depth,
      (k) => `{
    ${times(rowQuads, (i) => `let a${i} = ${a.read(k, i, 'laneRow', 'warpRow')};`)}
    ${times(columnQuads, (j) => `let b${j} = ${b.read(k, j, 'laneColumn', 'warpColumn')};`)}
    ${times(rowQuads, (i) =>
      times(4, (q) =>
        times(columnQuads, (j) => `c${i * 4 + q}_${j} = fma(vec4f(a${i}.${'xyzw'[q]}), b${j}, c${i * 4 + q}_${j});`),
      ),
    )}
    }`,
    );
    return `
  ${times(Math.max(a.registers, b.registers), (i) => `var fetch${i}: vec4f;`)}
  ${fetch('kStart')}
  for (var k = kStart; k < kEnd; k += ${depth}u) {
    workgroupBarrier();
    if (thread < ${loaders}u) { ${a.store('thread')} } else { ${b.store(`(thread - ${loaders}u)`)} }
    workgroupBarrier();
    if (k + ${depth}u < kEnd) { ${fetch(`(k + ${depth}u)`)} }
    ${multiply}
  }`;
  }

  /**
   * WGSL that visits each row that a thread has: `rowInTile`, its number within the tile, and `sums`, the names of its quads.
   * Quad `j` has the columns from `4 · quad(j)` of the tile on.
   */
  forEachRow(visit: (sums: readonly string[]) => string): string {
    const { lanes: laneRows, steps: rowQuads } = this.a.spread;
    return times(rowQuads, (i) =>
      times(
        4,
        (q) => `{
      let rowInTile = (rowQuad + ${i * laneRows}u) * 4u + ${q}u;
      ${visit(Array.from({ length: this.columnQuads }, (_, j) => `c${i * 4 + q}_${j}`))}
    }`,
      ),
    );
  }

  /** WGSL of the number within the tile of a thread's quad `j`, of `columnQuads` that its warp's threads have each. */
  quad(j: number, columnQuads = this.columnQuads): string {
    return `(warpColumn * ${this.laneColumns * columnQuads}u + laneColumn + ${j * this.laneColumns}u)`;
  }
}

/** WGSL of a quad of columns of `c`, whose row begins at `at`; columns from `extent` on repeat the last one. */
export function loadQuad(vectors: boolean, quad: string, extent: string, at: string): string {
  if (vectors) return `c[${at} + min(${quad}, (${extent} - 1u) / 4u)]`;
  const column = (q: number) => `c[${at} + min(${quad} * 4u + ${q}u, ${extent} - 1u)]`;
  return `vec4f(${[0, 1, 2, 3].map(column).join(', ')})`;
}

/**
 * WGSL that stores a quad of columns: as a vec4, or float by float, in columns below `extent` alone.
 *
 * @param store WGSL for one element, given its column, in elements, and what picks its float of a quad.
 */
export function storeQuad(
  vectors: boolean,
  quad: string,
  extent: string,
  store: (column: string, of: (sum: string) => string) => string,
): string {
  if (vectors) return `if (${quad} < (${extent} + 3u) / 4u) { ${store(quad, (sum) => sum)} }`;
  return times(4, (q) => {
    const column = `(${quad} * 4u + ${q}u)`;
    return `if (${column} < ${extent}) { ${store(column, (sum) => `${sum}.${'xyzw'[q]}`)} }`;
  });
}
