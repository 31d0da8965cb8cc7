import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { range, times } from '../wgsl/elements.js';
import { quadsOf } from './quads.js';

const THREADS = 256;
/** Rows that a workgroup walks at most, and the quads of their slopes that it holds. */
const MOST_ROWS = 64;
const MOST_QUADS = 512;
/** Rows whose element of x a thread has in flight. */
const ROWS_IN_FLIGHT = 4;

interface FeaturesGradSpec {
  /** HC · C */
  features: number;
  /** M */
  columns: number;
}

/** The rows whose slopes a workgroup holds. */
const rowsOfTile = (columns: number) =>
  Math.max(1, Math.min(MOST_ROWS, Math.floor(MOST_QUADS / quadsOf(columns).count)));

/**
 * dx = slopes · phiᵀ − x · rstd / (HC · C) · Σ slopes · mix, where slopes = dmix · rstd. A thread holds the row of phi of one
 * feature, and walks rows of x with it.
 */
const featuresGradProgram = defineProgram('mhcCoeffsFeaturesGrad', ({ features, columns }: FeaturesGradSpec) => {
  const ofColumns = quadsOf(columns);
  const quads = ofColumns.count;
  const rows = rowsOfTile(columns);
  const blocks = Math.ceil(features / THREADS);
  return {
    workgroupSize: THREADS,
    reads: { x: 'f32', phi: ofColumns.type, slopes: ofColumns.type, mix: ofColumns.type, rstd: 'f32' },
    writes: { dx: 'f32' },
    uniforms: { rows: 'u32' },
    declarations: `
var<workgroup> tile: array<vec4f, ${rows * quads}>;
var<workgroup> shrink: array<f32, ${rows}>;`,
    body: `
  let feature = workgroup % ${blocks}u * ${THREADS}u + thread;
  let firstRow = workgroup / ${blocks}u * ${rows}u;
  let end = min(${rows}u, u.rows - firstRow);
  for (var i = thread; i < end * ${quads}u; i += ${THREADS}u) {
    tile[i] = ${ofColumns.at('slopes', `(firstRow + i / ${quads}u)`, `(i % ${quads}u)`)};
  }
  if (thread < end) {
    let row = firstRow + thread;
    var product = 0.0;
    for (var quad = 0u; quad < ${quads}u; quad++) {
      product += dot(${ofColumns.at('slopes', 'row', 'quad')}, ${ofColumns.at('mix', 'row', 'quad')});
    }
    shrink[thread] = product * rstd[row] / ${features}.0;
  }
  workgroupBarrier();
  if (feature >= ${features}u) { return; }
  ${times(quads, (q) => `let phi${q} = ${ofColumns.at('phi', 'feature', `${q}u`)};`)}
  // Beyond the last row stands that row again, so that no branch keeps the loads from being in flight together.
  for (var first = 0u; first < end; first += ${ROWS_IN_FLIGHT}u) {
    ${times(
      ROWS_IN_FLIGHT,
      (i) => `let row${i} = min(first + ${i}u, end - 1u);
    let at${i} = (firstRow + row${i}) * ${features}u + feature;
    let x${i} = x[at${i}];`,
    )}
    ${times(ROWS_IN_FLIGHT, (i) => {
      const product = range(quads).map((q) => `dot(tile[row${i} * ${quads}u + ${q}u], phi${q})`);
      return `dx[at${i}] = ${product.join(' + ')} - x${i} * shrink[row${i}];`;
    })}
  }`,
  };
});

export interface FeaturesGradTensors {
  /** [tokens, HC · C] */
  readonly x: TensorInfo;
  /** [HC · C, M] */
  readonly phi: TensorInfo;
  /** [tokens, M] */
  readonly slopes: TensorInfo;
  readonly mix: TensorInfo;
  /** [tokens] */
  readonly rstd: TensorInfo;
}

/** Records the gradient of x, and returns it. */
export function featuresGradient(gpu: Gpu, tensors: FeaturesGradTensors, tokens: number): TensorInfo {
  const [features, columns] = tensors.phi.shape as [number, number];
  const dx = gpu.output(tensors.x.shape);
  const workgroups = Math.ceil(tokens / rowsOfTile(columns)) * Math.ceil(features / THREADS);
  gpu.run(featuresGradProgram, { features, columns }, { ...tensors, dx }, { rows: tokens }, workgroups);
  return dx;
}
