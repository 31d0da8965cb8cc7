import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { elementsOf, times } from '../wgsl/elements.js';
import { asRows } from '../wgsl/row.js';

const WORKGROUP_SIZE = 256;
/** Rows that are written out, so that they are under way together. */
const MOST_WRITTEN_OUT = 16;

interface CombineSpec {
  columns: number;
  /** Rows of each token. */
  k: number;
  experts: number;
  isWeighted: boolean;
}

/** Σ over k of weight · row, in the order of k. */
const combineProgram = defineProgram('expertCombine', ({ columns, k, experts, isWeighted }: CombineSpec) => {
  const { type, count } = elementsOf(columns);
  const add = (i: string) => `{
    let choice = token * ${k}u + ${i};
    let isChoice = index[choice] >= 0 && index[choice] < ${experts};
    let row = ${isWeighted ? 'weights[choice] * ' : ''}rows[choice * ${count}u + column];
    sum += select(${type}(u.otherwise), row, isChoice);
  }`;
  return {
    workgroupSize: WORKGROUP_SIZE,
    reads: { rows: type, index: 'i32', ...(isWeighted && { weights: 'f32' as const }) },
    writes: { y: type },
    uniforms: { count: 'u32', otherwise: 'f32' },
    body: `
  let at = min(workgroup * ${WORKGROUP_SIZE}u + thread, u.count - 1u);
  let token = at / ${count}u;
  let column = at % ${count}u;
  var sum = ${type}();
  ${k <= MOST_WRITTEN_OUT ? times(k, (i) => add(`${i}u`)) : `for (var i = 0u; i < ${k}u; i++) ${add('i')}`}
  y[at] = sum;`,
  };
});

/**
 * Records the sum of the rows [..., K, C] that each token has.
 *
 * @param weights [..., K]: what they are multiplied by.
 * @param otherwise What stands for a row whose index is out of range.
 */
export function combine(
  gpu: Gpu,
  rows: TensorInfo,
  { index, experts }: { index: TensorInfo; experts: number },
  y: TensorInfo,
  otherwise: number,
  weights?: TensorInfo,
): void {
  const [, columns] = asRows(y.shape);
  const [, k] = asRows(index.shape);
  const count = elementsOf(columns).count * (util.sizeFromShape(y.shape) / columns);
  const spec = { columns, k, experts, isWeighted: weights !== undefined };
  const workgroups = Math.ceil(count / WORKGROUP_SIZE);
  gpu.run(combineProgram, spec, { rows, index, weights, y }, { count, otherwise }, workgroups);
}
