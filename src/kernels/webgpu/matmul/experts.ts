import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { range } from '../wgsl/elements.js';
import { gatedAfterMultipliers } from '../wgsl/pointwise.js';
import { type GatedStore, gatedWrites, gateUpRows, storeGated, unitOf } from './gated.js';
import { type MatmulOperand, operandSpec } from './matmul.js';
import { type ProductSpec, storeQuad, TileProduct, tilePlace } from './product.js';
import { TILES } from './tile.js';

/** Which rows each of several weights is for. */
export interface ExpertRows {
  readonly experts: number;
  /** [P], int32: the numbers of all rows, those of one expert after those of another. */
  readonly order: TensorInfo;
  /** [experts + 1], int32: where in `order` each expert begins, and where the last one ends. */
  readonly offsets: TensorInfo;
  /** [tileCount, 3], int32: of each tile of rows its expert (−1: there is no such tile), its first place and its expert's end. */
  readonly tiles: TensorInfo;
  /** As many tiles as there may be. */
  readonly tileCount: number;
}

interface ExpertSpec extends ProductSpec {
  /** How many rows have one row of A: row r has A's row r / perRow. */
  readonly perRow: number;
  readonly vectors: boolean;
  /** Whether B is gate's weight and up's after it, and what they come to is stored by `silu(gate) · up`. */
  readonly gated: false | GatedStore;
}

/** Each row of C is the row of A times the expert's weight. */
const expertMatmulProgram = defineProgram('expertMatmul', (spec: ExpertSpec) => {
  const { perRow, vectors, gated } = spec;
  const tile = TILES[spec.tile]!;
  const product = new TileProduct(spec, {
    a: { row: (first, past) => `aRows[${first} + ${past}u]` },
    ...(gated && { b: gateUpRows(tile, 'u.n', spec.b.exact, 'after') }),
  });
  const type = vectors ? 'vec4f' : 'f32';
  const pointwise = gated ? gatedAfterMultipliers('silu', type) : undefined;
  const store = (sums: readonly string[]) => {
    if (gated) return storeGated(product, sums, gated, 'u.n');
    const stores = sums.map((sum, j) =>
      storeQuad(
        vectors,
        `(bStart / 4u + ${product.quad(j)})`,
        'u.n',
        (column, of) => `y[at + ${column}] = ${of(sum)};`,
      ),
    );
    return stores.join('\n');
  };
  return {
    workgroupSize: product.workgroupSize,
    reads: { ...product.reads, order: 'i32', tiles: 'i32' },
    writes: gated ? gatedWrites(gated) : { y: type },
    uniforms: {
      n: 'u32',
      k: 'u32',
      aStride: 'u32',
      bStride: 'u32',
      bSize: 'u32',
      yStride: 'u32',
      tileCount: 'u32',
      ...pointwise?.uniforms,
    },
    declarations: `${product.declarations}
var<workgroup> aRows: array<u32, ${tile.rows}>;
${pointwise?.declarations ?? ''}`,
    body: `
  let tileRows = u.tileCount;
  let tileColumns = (${gated ? '2u * ' : ''}u.n + ${tile.columns - 1}u) / ${tile.columns}u;
  ${tilePlace('workgroup')}
  let expert = tiles[tileRow * 3u];
  if (expert < 0) { return; }
  let first = u32(tiles[tileRow * 3u + 1u]);
  let end = u32(tiles[tileRow * 3u + 2u]);
  for (var i = thread; i < ${tile.rows}u; i += ${product.workgroupSize}u) {
    aRows[i] = u32(order[min(first + i, end - 1u)]) / ${perRow}u;
  }
  workgroupBarrier();
  let bExtent = u.n; let aStride = u.aStride; let bStride = u.bStride;
  let aOffset = 0u; let bOffset = u32(expert) * u.bSize; let kStart = 0u; let kEnd = u.k;
  let aStart = 0u;
  let bStart = tileColumn * ${tile.columns}u;
  ${product.begin}
  ${product.sum}

  ${gated ? 'let firstQuad = bStart / 8u;' : ''}
  ${product.forEachRow(
    (sums) => `
      if (first + rowInTile < end) { let at = u32(order[first + rowInTile]) * u.yStride; ${store(sums)} }`,
  )}`,
  };
});

/** `y [P, n]`: for each row, the row of a [P / perRow, k] times the weight of the row's expert. */
export interface ExpertCall {
  readonly rows: ExpertRows;
  /** A tile of as many rows as `rows.tiles` has. */
  readonly tile: number;
  readonly n: number;
  readonly k: number;
  readonly a: TensorInfo;
  readonly perRow: number;
  /** [experts, …]: the weights. */
  readonly b: TensorInfo;
  /** How each weight lies: `kInner` [n, k] or `kOuter` [k, n]; of a gated call [2n, k]. */
  readonly layout: MatmulOperand['layout'];
  readonly y: TensorInfo;
  /** Where `y` is `silu(gate) · up`: whether gate and up are kept, and where. */
  readonly gated?: { readonly gate?: TensorInfo | undefined; readonly up?: TensorInfo | undefined };
}

/** Records the products of all experts as one dispatch. Rows that no expert has are left alone. */
export function expertMatmul(gpu: Gpu, { rows, tile: number, n, k, a, perRow, b, layout, y, gated }: ExpertCall): void {
  const tile = TILES[number]!;
  const vectors = n % 4 === 0;
  const bStride = layout === 'kInner' ? k : n;
  const columns = gated ? 2 * n : n;
  const spec = {
    tile: number,
    a: operandSpec({ layout: 'kInner', stride: k }, true),
    b: operandSpec({ layout, stride: bStride }, columns % tile.columns === 0),
    kTail: k % tile.depth !== 0,
    perRow,
    vectors,
    gated: gated ? { vectors, keeps: gated.gate !== undefined } : (false as const),
  };
  const bUnit = unitOf(spec.b.vectors);
  const uniforms = {
    n,
    k,
    aStride: k / unitOf(spec.a.vectors),
    bStride: bStride / bUnit,
    bSize: (columns * k) / bUnit,
    yStride: n / unitOf(vectors),
    tileCount: rows.tileCount,
    gateMultiplier: 1,
    downMultiplier: 1,
  };
  const tensors = { a, b, order: rows.order, tiles: rows.tiles, y, gateOut: gated?.gate, upOut: gated?.up };
  gpu.run(expertMatmulProgram, spec, tensors, uniforms, rows.tileCount * Math.ceil(columns / tile.columns));
}

interface ExpertWeightSpec extends ProductSpec {
  readonly aPerRow: number;
  readonly bPerRow: number;
  readonly vectors: boolean;
}

/** Of each expert Aᵀ · B over its rows alone, in their order. */
const expertWeightGradientProgram = defineProgram('expertWeightGradient', (spec: ExpertWeightSpec) => {
  const { aPerRow, bPerRow, vectors } = spec;
  const tile = TILES[spec.tile]!;
  const listed = (perRow: number) => ({ row: (k: string) => `u32(order[${k}]) / ${perRow}u` });
  const product = new TileProduct(spec, { a: listed(aPerRow), b: listed(bPerRow) });
  return {
    workgroupSize: product.workgroupSize,
    reads: { ...product.reads, order: 'i32', offsets: 'i32' },
    writes: { c: vectors ? 'vec4f' : 'f32' },
    uniforms: { m: 'u32', n: 'u32', aStride: 'u32', bStride: 'u32', cStride: 'u32' },
    declarations: product.declarations,
    body: `
  let tileRows = (u.m + ${tile.rows - 1}u) / ${tile.rows}u;
  let tileColumns = (u.n + ${tile.columns - 1}u) / ${tile.columns}u;
  let expert = workgroup / (tileRows * tileColumns);
  let tile = workgroup % (tileRows * tileColumns);
  ${tilePlace('tile')}
  let aExtent = u.m; let bExtent = u.n; let aStride = u.aStride; let bStride = u.bStride;
  let aOffset = 0u; let bOffset = 0u;
  let kStart = u32(offsets[expert]);
  let kEnd = u32(offsets[expert + 1u]);
  let aStart = tileRow * ${tile.rows}u;
  let bStart = tileColumn * ${tile.columns}u;
  ${product.begin}
  ${product.sum}

  ${range(product.columnQuads)
    .map((j) => `let column${j} = bStart / 4u + ${product.quad(j)};`)
    .join('\n')}
  ${product.forEachRow(
    (sums) => `
      let row = aStart + rowInTile;
      if (row < u.m) {
        let at = (expert * u.m + row) * u.cStride;
        ${sums
          .map((sum, j) => storeQuad(vectors, `column${j}`, 'u.n', (column, of) => `c[at + ${column}] = ${of(sum)};`))
          .join('\n')}
      }`,
  )}`,
  };
});

/** `c [experts, m, n]`: of each expert the sum of aᵀ · b over its rows, of a [P / aPerRow, m] and b [P / bPerRow, n]. */
export interface ExpertWeightGradientCall {
  readonly rows: ExpertRows;
  readonly tile: number;
  readonly m: number;
  readonly n: number;
  readonly a: TensorInfo;
  readonly aPerRow: number;
  readonly b: TensorInfo;
  readonly bPerRow: number;
  readonly c: TensorInfo;
}

/** Records the gradients of all experts' weights as one dispatch; those of one without rows are 0. */
export function expertWeightGradient(gpu: Gpu, call: ExpertWeightGradientCall): void {
  const { rows, tile: number, m, n, a, aPerRow, b, bPerRow, c } = call;
  const tile = TILES[number]!;
  const vectors = n % 4 === 0;
  const spec = {
    tile: number,
    a: operandSpec({ layout: 'kOuter', stride: m }, m % tile.rows === 0),
    b: operandSpec({ layout: 'kOuter', stride: n }, n % tile.columns === 0),
    kTail: true,
    aPerRow,
    bPerRow,
    vectors,
  };
  const uniforms = {
    m,
    n,
    aStride: m / unitOf(spec.a.vectors),
    bStride: n / unitOf(spec.b.vectors),
    cStride: n / unitOf(vectors),
  };
  const workgroups = rows.experts * Math.ceil(m / tile.rows) * Math.ceil(n / tile.columns);
  gpu.run(
    expertWeightGradientProgram,
    spec,
    { a, b, order: rows.order, offsets: rows.offsets, c },
    uniforms,
    workgroups,
  );
}
