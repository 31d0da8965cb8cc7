import type { TensorInfo } from '@tensorflow/tfjs-core';
import { coefficientsOf } from '../../contracts/shared/mhc_shape.js';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { columnSum } from '../shared/column_sum.js';

/** What turns mix into logits. */
export interface Gates {
  /** [M] */
  readonly b: TensorInfo;
  /** [] */
  readonly alphaPre: TensorInfo;
  readonly alphaPost: TensorInfo;
  readonly alphaRes: TensorInfo;
}

interface GatesSpec {
  /** HC */
  streams: number;
}

const THREADS = 64;

/** The alpha of each column, then b: as one tensor, since programs would otherwise bind more than every device can. */
const gatesProgram = defineProgram('mhcCoeffsGates', ({ streams }: GatesSpec) => {
  const columns = coefficientsOf(streams);
  return {
    workgroupSize: THREADS,
    reads: { b: 'f32', alphaPre: 'f32', alphaPost: 'f32', alphaRes: 'f32' },
    writes: { gates: 'f32' },
    body: `
  let column = workgroup * ${THREADS}u + thread;
  if (column >= ${columns}u) { return; }
  let ofPreOrPost = select(alphaPost[0], alphaPre[0], column < ${streams}u);
  gates[column] = select(alphaRes[0], ofPreOrPost, column < ${2 * streams}u);
  gates[${columns}u + column] = b[column];`,
  };
});

/** Records both as [2, M]. */
export function pack(gpu: Gpu, gates: Gates, streams: number): TensorInfo {
  const columns = coefficientsOf(streams);
  const packed = gpu.output([2, columns]);
  gpu.run(gatesProgram, { streams }, { ...gates, gates: packed }, {}, Math.ceil(columns / THREADS));
  return packed;
}

/** WGSL of the logit of a column, of row `row` of `mix`, where `gates` are packed. */
export const logit = (columns: number, column: number | string): string =>
  `(mix[row * ${columns}u + ${column}] * gates[${column}] + gates[${columns}u + ${column}])`;

/** db, and the sums over their columns that are the gradients of the alphas, out of sums over tokens of dz and of dz · mix. */
const gatesGradProgram = defineProgram('mhcCoeffsGatesGrad', ({ streams }: GatesSpec) => {
  const columns = coefficientsOf(streams);
  const sumOf = (from: number, to: number, total: string) => `
    var sum = 0.0;
    for (var column = ${from}u; column < ${to}u; column++) { sum += sums[${columns}u + column]; }
    ${total}[0] = sum;`;
  return {
    workgroupSize: THREADS,
    reads: { sums: 'f32' },
    writes: { db: 'f32', dalphaPre: 'f32', dalphaPost: 'f32', dalphaRes: 'f32' },
    body: `
  let column = workgroup * ${THREADS}u + thread;
  if (column < ${columns}u) { db[column] = sums[column]; }
  if (column == 0u) {${sumOf(0, streams, 'dalphaPre')}
  } else if (column == 1u) {${sumOf(streams, 2 * streams, 'dalphaPost')}
  } else if (column == 2u) {${sumOf(2 * streams, columns, 'dalphaRes')}
  }`,
  };
});

/** Records the gradients of b and of the alphas, from dz and dz · mix side by side, [tokens, 2 · M]. */
export function gatesGradient(gpu: Gpu, terms: TensorInfo, tokens: number, streams: number) {
  const columns = coefficientsOf(streams);
  const sums = columnSum(gpu, terms, tokens, 2 * columns);
  const gradients = {
    db: gpu.output([columns]),
    dalphaPre: gpu.output([]),
    dalphaPost: gpu.output([]),
    dalphaRes: gpu.output([]),
  };
  gpu.run(gatesGradProgram, { streams }, { sums, ...gradients }, {}, Math.ceil(columns / THREADS));
  gpu.release(sums);
  return gradients;
}
