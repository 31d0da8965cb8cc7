import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { range, times } from '../wgsl/elements.js';
import { quadsOf } from './quads.js';

/** Tokens of a workgroup, the features of theirs that it holds at a time, and the quads of columns that it has at most. */
const ROWS = 64;
const DEPTH = 32;
const MOST_QUADS = 6;

/** A thread has two rows, as far apart as there are lanes, and one of eight parts of the features that are held. */
const LANES = ROWS / 2;
const PARTS = 8;
const THREADS = LANES * PARTS;
const DEPTH_OF_PART = DEPTH / PARTS;

/** Quads of features, and rows, that the threads fetch at once. */
const FETCHED_QUADS = DEPTH / 4;
const FETCHED_ROWS = THREADS / FETCHED_QUADS;
const FETCHES = ROWS / FETCHED_ROWS;

/** Floats from one feature of the tile to the next: one more than its rows, so that no two threads meet in a bank of memory. */
const PITCH = ROWS + 1;

interface ProductSpec {
  /** HC · C */
  features: number;
  /** M */
  columns: number;
}

/** Quads of columns that a workgroup has, and the workgroups that all columns take. */
function columnTiles(columns: number): { width: number; tiles: number } {
  const { count } = quadsOf(columns);
  const tiles = Math.ceil(count / MOST_QUADS);
  return { width: Math.ceil(count / tiles), tiles };
}

/**
 * products = x · phi and squares = Σ x² over slices of the features; x is read once. Each part of the threads adds up its features
 * in registers, for the rows of a thread and all columns of the workgroup, and at the end the parts are added up.
 */
const productProgram = defineProgram('mhcCoeffsProduct', ({ features, columns }: ProductSpec) => {
  const { width, tiles } = columnTiles(columns);
  const [ofFeatures, ofColumns] = [quadsOf(features), quadsOf(columns)];
  const held = DEPTH * width;
  const fetch = (k: string) => {
    const row = (i: number) => `min(firstRow + fetchRow + ${i * FETCHED_ROWS}u, u.rows - 1u)`;
    const feature = `min(${k} + fetchPhi / ${width}u, ${features - 1}u)`;
    return `
    ${times(FETCHES, (i) => `x${i} = ${ofFeatures.at('x', row(i), `(${k} / 4u + fetchQuad)`)};`)}
    phiQuad = ${ofColumns.at('phi', feature, `(firstQuad + fetchPhi % ${width}u)`)};`;
  };
  /** Adds up, over the parts, up to four numbers of each of the two rows. They pass through the tile, which has room for that. */
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
    reads: { x: ofFeatures.type, phi: ofColumns.type },
    writes: { products: 'f32', squares: 'f32' },
    uniforms: { rows: 'u32', depth: 'u32' },
    declarations: `
var<workgroup> xTile: array<f32, ${DEPTH * PITCH}>;
var<workgroup> phiTile: array<vec4f, ${held}>;`,
    body: `
  let rowTiles = (u.rows + ${ROWS - 1}u) / ${ROWS}u;
  let firstRow = workgroup % rowTiles * ${ROWS}u;
  let firstQuad = workgroup / rowTiles % ${tiles}u * ${width}u;
  let slice = workgroup / (rowTiles * ${tiles}u);
  let end = min(${features}u, (slice + 1u) * u.depth);
  let fetchRow = thread / ${FETCHED_QUADS}u;
  let fetchQuad = thread % ${FETCHED_QUADS}u;
  let fetchPhi = min(thread, ${held - 1}u);
  let rowLane = thread % ${LANES}u;
  let part = thread / ${LANES}u;
  ${times(width, (q) => `var first${q} = vec4f();\n  var second${q} = vec4f();`)}
  var square = vec2f();
  ${times(FETCHES, (i) => `var x${i} = vec4f();`)}
  var phiQuad = vec4f();
  ${fetch('(slice * u.depth)')}
  for (var k = slice * u.depth; k < end; k += ${DEPTH}u) {
    workgroupBarrier();
    ${times(FETCHES, (i) =>
      times(
        4,
        (c) => `xTile[(fetchQuad * 4u + ${c}u) * ${PITCH}u + fetchRow + ${i * FETCHED_ROWS}u] = x${i}.${'xyzw'[c]};`,
      ),
    )}
    if (thread < ${held}u) { phiTile[thread] = phiQuad; }
    workgroupBarrier();
    ${fetch(`(k + ${DEPTH}u)`)}
    ${times(
      DEPTH_OF_PART,
      (i) => `{
      let at = part * ${DEPTH_OF_PART}u + ${i}u;
      let a = xTile[at * ${PITCH}u + rowLane];
      let b = xTile[at * ${PITCH}u + rowLane + ${LANES}u];
      square += vec2f(a * a, b * b);
      ${times(
        width,
        (q) => `let phi${q} = phiTile[at * ${width}u + ${q}u];
      first${q} = fma(vec4f(a), phi${q}, first${q});
      second${q} = fma(vec4f(b), phi${q}, second${q});`,
      )}
    }`,
    )}
  }
  ${times(width, (q) =>
    total(
      components(`first${q}`),
      components(`second${q}`),
      `let column = (firstQuad + ${q}u) * 4u + number;
    if (column < ${columns}u) { products[row * ${columns}u + column] = sum; }`,
    ),
  )}
  ${total(['square.x'], ['square.y'], 'if (number == 0u && firstQuad == 0u) { squares[row] = sum; }')}`,
  };
});

/** Workgroups that keep a large device busy at once, and features that a slice has at least. */
const WORKGROUPS = 256;
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
  const wanted = Math.min(Math.round(WORKGROUPS / Math.max(1, tiles)), Math.ceil(features / LEAST_DEPTH));
  const depth = Math.ceil(features / Math.max(1, wanted) / DEPTH) * DEPTH;
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
