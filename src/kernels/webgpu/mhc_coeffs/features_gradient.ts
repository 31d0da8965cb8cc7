import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { range, times } from '../wgsl/elements.js';

const THREADS = 256;
/** Rows that a workgroup walks at most, and the quads of their slopes that it holds. */
const MOST_ROWS = 64;
const MOST_QUADS = 512;

interface FeaturesGradSpec {
  /** HC · C */
  features: number;
  /** M */
  columns: number;
}

/** Quads of a row of columns, and the rows whose slopes a workgroup holds. */
function tile(columns: number): { quads: number; rows: number } {
  const quads = Math.ceil(columns / 4);
  return { quads, rows: Math.max(1, Math.min(MOST_ROWS, Math.floor(MOST_QUADS / quads))) };
}

/**
 * dx = slopes · phiᵀ − x · rstd / (HC · C) · Σ slopes · mix, where slopes = dmix · rstd. A thread holds the row of phi of one
 * feature, and walks rows of x with it.
 */
const featuresGradProgram = defineProgram('mhcCoeffsFeaturesGrad', ({ features, columns }: FeaturesGradSpec) => {
  const { quads, rows } = tile(columns);
  const inVectors = columns % 4 === 0;
  const type = inVectors ? 'vec4f' : 'f32';
  // What pads a row is 0: the rows that follow are no part of it.
  const quadOf = (array: string, row: string, quad: string) =>
    inVectors
      ? `${array}[${row} * ${quads}u + ${quad}]`
      : `vec4f(${range(4).map((c) => {
          const column = `(${quad} * 4u + ${c}u)`;
          return `select(0.0, ${array}[${row} * ${columns}u + min(${column}, ${columns - 1}u)], ${column} < ${columns}u)`;
        })})`;
  const blocks = Math.ceil(features / THREADS);
  return {
    workgroupSize: THREADS,
    reads: { x: 'f32', phi: type, slopes: type, mix: type, rstd: 'f32' },
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
    tile[i] = ${quadOf('slopes', `(firstRow + i / ${quads}u)`, `(i % ${quads}u)`)};
  }
  if (thread < end) {
    let row = firstRow + thread;
    var product = 0.0;
    for (var quad = 0u; quad < ${quads}u; quad++) {
      product += dot(${quadOf('slopes', 'row', 'quad')}, ${quadOf('mix', 'row', 'quad')});
    }
    shrink[thread] = product * rstd[row] / ${features}.0;
  }
  workgroupBarrier();
  if (feature >= ${features}u) { return; }
  ${times(quads, (q) => `let phi${q} = ${quadOf('phi', 'feature', `${q}u`)};`)}
  for (var i = 0u; i < end; i++) {
    let at = (firstRow + i) * ${features}u + feature;
    dx[at] = ${range(quads)
      .map((q) => `dot(tile[i * ${quads}u + ${q}u], phi${q})`)
      .join(' + ')} - x[at] * shrink[i];
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
  const workgroups = Math.ceil(tokens / tile(columns).rows) * Math.ceil(features / THREADS);
  gpu.run(featuresGradProgram, { features, columns }, { ...tensors, dx }, { rows: tokens }, workgroups);
  return dx;
}
