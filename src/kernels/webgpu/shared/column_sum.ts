import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { elementsOf } from '../wgsl/elements.js';

/** Elements (vec4s or floats) side by side, and slices of rows, that one workgroup sums. */
const ELEMENTS = 8;
const SLICES = 32;

/** Columns in vec4s where both they and the rows allow it. */
const elementsOfColumns = (columns: number, stride: number): ReturnType<typeof elementsOf> =>
  stride % 4 === 0 ? elementsOf(columns) : { type: 'f32', count: columns };

interface ColumnSumSpec {
  columns: number;
  stride: number;
  accumulate: boolean;
}

/**
 * The sum over rows, [rows, columns] → [columns]: the second stage of every gradient that is summed over tokens (gamma, beta, bias),
 * in an order that depends on the shape alone.
 */
const columnSumProgram = defineProgram('columnSum', ({ columns, stride, accumulate }: ColumnSumSpec) => {
  const { type, count } = elementsOfColumns(columns, stride);
  const step = type === 'vec4f' ? stride / 4 : stride;
  return {
    workgroupSize: ELEMENTS * SLICES,
    reads: { x: type },
    writes: { total: type },
    uniforms: { rows: 'u32', blocks: 'u32' },
    declarations: `var<workgroup> partials: array<${type}, ${ELEMENTS * SLICES}>;`,
    body: `
  let column = workgroup % ${Math.ceil(count / ELEMENTS)}u * ${ELEMENTS}u + thread % ${ELEMENTS}u;
  let block = workgroup / ${Math.ceil(count / ELEMENTS)}u;
  let height = (u.rows + u.blocks - 1u) / u.blocks;
  let end = min(u.rows, (block + 1u) * height);
  var sum = ${type}();
  if (column < ${count}u) {
    for (var row = block * height + thread / ${ELEMENTS}u; row < end; row += ${SLICES}u) { sum += x[row * ${step}u + column]; }
  }
  partials[thread] = sum;
  for (var stride = ${SLICES / 2}u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (thread < stride * ${ELEMENTS}u) { partials[thread] += partials[thread + stride * ${ELEMENTS}u]; }
  }
  if (thread < ${ELEMENTS}u && column < ${count}u) { total[block * ${count}u + column] ${accumulate ? '+=' : '='} partials[thread]; }`,
  };
});

/** Rows that one workgroup sums before a second stage pays. */
const ROWS_A_BLOCK = 512;

interface ColumnSumOptions {
  /** Floats from one row to the next. Default columns. */
  readonly stride?: number;
  /** Where the sums go, [columns]. Made unless it is given. */
  readonly total?: TensorInfo;
  /** Adds to what `total` holds. */
  readonly accumulate?: boolean;
}

/** Records `total = sum of x over rows` for x [rows, columns], and returns it. */
export function columnSum(
  gpu: Gpu,
  x: TensorInfo,
  rows: number,
  columns: number,
  { stride = columns, total = gpu.output([columns]), accumulate = false }: ColumnSumOptions = {},
): TensorInfo {
  const groups = Math.ceil(elementsOfColumns(columns, stride).count / ELEMENTS);
  // Tall and narrow inputs would leave most of the device idle, so their rows are summed in blocks first.
  const blocks = Math.min(64, Math.ceil(rows / ROWS_A_BLOCK));
  if (blocks <= 1) {
    gpu.run(columnSumProgram, { columns, stride, accumulate }, { x, total }, { rows, blocks: 1 }, groups);
    return total;
  }
  const partial = gpu.output([blocks, columns]);
  const firstStage = { columns, stride, accumulate: false };
  gpu.run(columnSumProgram, firstStage, { x, total: partial }, { rows, blocks }, groups * blocks);
  columnSum(gpu, partial, blocks, columns, { total, accumulate });
  gpu.release(partial);
  return total;
}
