import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { range, times } from '../wgsl/elements.js';

/** A workgroup's tile: tokens, features of them that it holds at a time, and at most as many quads of columns. */
const ROWS = 64;
const DEPTH = 32;
const MOST_QUADS = 6;

/** Threads side by side have rows side by side, two each, and other parts of the features. */
const LANES = ROWS / 2;
const PARTS = 8;
const THREADS = LANES * PARTS;

/** Floats from one feature of the tile to the next: one more than its rows, so that no two threads meet in a bank of memory. */
const PITCH = ROWS + 1;

interface ProductSpec {
  /** HC · C */
  features: number;
  /** M */
  columns: number;
}

/** Quads of columns that a workgroup has, and workgroups that it takes for all. */
function columnTiles(columns: number): { quads: number; tiles: number } {
  const all = Math.ceil(columns / 4);
  const tiles = Math.ceil(all / MOST_QUADS);
  return { quads: Math.ceil(all / tiles), tiles };
}

/**
 * products = x · phi and squares = Σ x² over slices of the features, x read once. A workgroup adds up the features of its slice in
 * eight parts, each in registers: the two rows of a thread times all columns of the tile.
 */
const productProgram = defineProgram('mhcCoeffsProduct', ({ features, columns }: ProductSpec) => {
  const { quads, tiles } = columnTiles(columns);
  const inVectors = features % 4 === 0;
  const xAt = (row: string, k: string) =>
    inVectors
      ? `x[${row} * ${features / 4}u + min(${k} / 4u, ${features / 4 - 1}u)]`
      : `vec4f(${range(4).map((c) => `x[${row} * ${features}u + min(${k} + ${c}u, ${features - 1}u)]`)})`;
  const phiInVectors = columns % 4 === 0;
  const phiAt = (k: string, quad: string) =>
    phiInVectors
      ? `phi[${k} * ${columns / 4}u + min(${quad}, ${columns / 4 - 1}u)]`
      : `vec4f(${range(4).map((c) => `phi[${k} * ${columns}u + min(${quad} * 4u + ${c}u, ${columns - 1}u)]`)})`;
  const quadsInTile = DEPTH * quads;
  const fetch = (k: string) => `
    ${times(
      2,
      (i) => `x${i} = ${xAt(`min(firstRow + fetchRow + ${i * LANES}u, u.rows - 1u)`, `(${k} + fetchDepth)`)};
    x${i} = select(vec4f(), x${i}, vec4u(${k} + fetchDepth) + vec4u(0u, 1u, 2u, 3u) < vec4u(end));`,
    )}
    phiQuad = ${phiAt(`min(${k} + fetchQuad / ${quads}u, ${features - 1}u)`, `(columnTile * ${quads}u + fetchQuad % ${quads}u)`)};`;
  /** Adds up numbers of all parts, up to four a row, through the tile. */
  const total = (firsts: readonly string[], seconds: readonly string[], store: string) => `
  workgroupBarrier();
  ${times(
    firsts.length,
    (i) => `xTile[(part * 4u + ${i}u) * ${PITCH}u + rowLane] = ${firsts[i]};
  xTile[(part * 4u + ${i}u) * ${PITCH}u + rowLane + ${LANES}u] = ${seconds[i]};`,
  )}
  workgroupBarrier();
  if (firstRow + thread % ${ROWS}u < u.rows) {
    let row = slice * u.rows + firstRow + thread % ${ROWS}u;
    let number = thread / ${ROWS}u;
    let sum = ${range(PARTS)
      .map((part) => `xTile[(${part * 4}u + number) * ${PITCH}u + thread % ${ROWS}u]`)
      .join(' + ')};
    ${store}
  }`;
  const components = (vector: string) => range(4).map((i) => `${vector}.${'xyzw'[i]}`);
  return {
    workgroupSize: THREADS,
    reads: { x: inVectors ? 'vec4f' : 'f32', phi: phiInVectors ? 'vec4f' : 'f32' },
    writes: { products: 'f32', squares: 'f32' },
    uniforms: { rows: 'u32', depth: 'u32' },
    declarations: `
var<workgroup> xTile: array<f32, ${DEPTH * PITCH}>;
var<workgroup> phiTile: array<vec4f, ${quadsInTile}>;`,
    body: `
  let rowTiles = (u.rows + ${ROWS - 1}u) / ${ROWS}u;
  let firstRow = workgroup % rowTiles * ${ROWS}u;
  let columnTile = workgroup / rowTiles % ${tiles}u;
  let slice = workgroup / (rowTiles * ${tiles}u);
  let end = min(${features}u, (slice + 1u) * u.depth);
  let fetchRow = thread / ${DEPTH / 4}u;
  let fetchDepth = thread % ${DEPTH / 4}u * 4u;
  let fetchQuad = min(thread, ${quadsInTile - 1}u);
  let rowLane = thread % ${LANES}u;
  let part = thread / ${LANES}u;
  ${times(quads, (q) => `var first${q} = vec4f();\n  var second${q} = vec4f();`)}
  var square = vec2f();
  var x0 = vec4f();
  var x1 = vec4f();
  var phiQuad = vec4f();
  ${fetch('(slice * u.depth)')}
  for (var k = slice * u.depth; k < end; k += ${DEPTH}u) {
    workgroupBarrier();
    ${times(2, (i) =>
      times(4, (c) => `xTile[(fetchDepth + ${c}u) * ${PITCH}u + fetchRow + ${i * LANES}u] = x${i}.${'xyzw'[c]};`),
    )}
    if (thread < ${quadsInTile}u) { phiTile[thread] = phiQuad; }
    workgroupBarrier();
    ${fetch(`(k + ${DEPTH}u)`)}
    ${times(
      DEPTH / PARTS,
      (i) => `{
      let at = part * ${DEPTH / PARTS}u + ${i}u;
      let a = xTile[at * ${PITCH}u + rowLane];
      let b = xTile[at * ${PITCH}u + rowLane + ${LANES}u];
      square += vec2f(a * a, b * b);
      ${times(
        quads,
        (q) => `let phi${q} = phiTile[at * ${quads}u + ${q}u];
      first${q} = fma(vec4f(a), phi${q}, first${q});
      second${q} = fma(vec4f(b), phi${q}, second${q});`,
      )}
    }`,
    )}
  }
  ${times(quads, (q) =>
    total(
      components(`first${q}`),
      components(`second${q}`),
      `let column = (columnTile * ${quads}u + ${q}u) * 4u + number;
    if (column < ${columns}u) { products[row * ${columns}u + column] = sum; }`,
    ),
  )}
  ${total(['square.x'], ['square.y'], 'if (number == 0u && columnTile == 0u) { squares[row] = sum; }')}`,
  };
});

/** Workgroups that fill a large device, and features that a slice has at least. */
const WORKGROUPS = 512;
const LEAST_DEPTH = 256;

/** What the slices of the features add up to. */
export interface Products {
  readonly slices: number;
  /** [slices, tokens, M] */
  readonly products: TensorInfo;
  /** [slices, tokens] */
  readonly squares: TensorInfo;
}

/** Records x [tokens, features] · phi [features, columns] and the sums of x², in as many slices as keep the device busy. */
export function product(gpu: Gpu, x: TensorInfo, phi: TensorInfo, tokens: number): Products {
  const [features, columns] = phi.shape as [number, number];
  const tiles = Math.ceil(tokens / ROWS) * columnTiles(columns).tiles;
  const wanted = Math.min(Math.ceil(WORKGROUPS / Math.max(1, tiles)), Math.ceil(features / LEAST_DEPTH));
  const depth = Math.ceil(features / wanted / DEPTH) * DEPTH;
  const slices = Math.ceil(features / depth);
  const [products, squares] = [gpu.output([slices, tokens, columns]), gpu.output([slices, tokens])];
  gpu.run(
    productProgram,
    { features, columns },
    { x, phi, products, squares },
    { rows: tokens, depth },
    tiles * slices,
  );
  return { slices, products, squares };
}
