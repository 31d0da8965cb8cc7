import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { elementsOf, times } from '../wgsl/elements.js';

/** Elements (vec4s or floats) side by side, and slices of rows, that one workgroup sums. */
const ELEMENTS = 8;
const SLICES = 32;
/** Rows that each thread has in flight. */
const ROWS = 8;

/** Columns in vec4s where both they and the rows allow it. */
const elementsOfColumns = (columns: number, stride: number): ReturnType<typeof elementsOf> =>
  stride % 4 === 0 ? elementsOf(columns) : { type: 'f32', count: columns };

interface ColumnSumSpec {
  /** How many tensors of one shape are summed, each by itself. */
  tensors: number;
  columns: number;
  stride: number;
  accumulate: boolean;
}

/**
 * The sum over rows, [rows, columns] → [columns]: the second stage of every gradient that is summed over tokens (gamma, beta,
 * bias), in an order that depends on the shape alone. Loads past the end read the last row instead, so that no branch keeps
 * the loads from being in flight together.
 */
const columnSumProgram = defineProgram('columnSum', ({ tensors, columns, stride, accumulate }: ColumnSumSpec) => {
  const { type, count } = elementsOfColumns(columns, stride);
  const step = type === 'vec4f' ? stride / 4 : stride;
  const groups = Math.ceil(count / ELEMENTS);
  const each = (text: (tensor: number) => string) =>
    times(tensors, (tensor) => `if (tensor == ${tensor}u) { ${text(tensor)} }`);
  const arrays = (name: string) => Object.fromEntries(Array.from({ length: tensors }, (_, i) => [name + i, type]));
  return {
    workgroupSize: ELEMENTS * SLICES,
    reads: arrays('x'),
    writes: arrays('total'),
    uniforms: { rows: 'u32', blocks: 'u32' },
    declarations: `var<workgroup> partials: array<${type}, ${ELEMENTS * SLICES}>;`,
    body: `
  let column = workgroup % ${groups}u * ${ELEMENTS}u + thread % ${ELEMENTS}u;
  let block = workgroup / ${groups}u % u.blocks;
  let tensor = workgroup / ${groups}u / u.blocks;
  let height = (u.rows + u.blocks - 1u) / u.blocks;
  let end = min(u.rows, (block + 1u) * height);
  let at = min(column, ${count - 1}u);
  var sum = ${type}();
  ${each(
    (tensor) => `
    for (var row = block * height + thread / ${ELEMENTS}u; row < end; row += ${ROWS * SLICES}u) {
      ${times(ROWS, (i) => `let x${i}_ = x${tensor}[min(row + ${i * SLICES}u, u.rows - 1u) * ${step}u + at];`)}
      ${times(ROWS, (i) => `sum += select(${type}(), x${i}_, row + ${i * SLICES}u < end);`)}
    }`,
  )}
  partials[thread] = sum;
  for (var stride = ${SLICES / 2}u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (thread < stride * ${ELEMENTS}u) { partials[thread] += partials[thread + stride * ${ELEMENTS}u]; }
  }
  if (thread < ${ELEMENTS}u && column < ${count}u) {
    ${each((tensor) => `total${tensor}[block * ${count}u + column] ${accumulate ? '+=' : '='} partials[thread];`)}
  }`,
  };
});

/** Rows that one workgroup sums before a second stage pays. */
const ROWS_A_BLOCK = 1024;

/** A tensor in the place of each. */
type Each<Xs> = { readonly [K in keyof Xs]: TensorInfo };

interface ColumnSumOptions<Xs> {
  /** Floats from one row to the next. Default columns. */
  readonly stride?: number;
  /** How many segments, of as many rows each, are summed apart: the sums are then [segments, columns]. */
  readonly segments?: number;
  /** Where the sums go, [columns]. Made unless they are given. */
  readonly totals?: Each<Xs>;
  /** Adds to what `totals` hold. */
  readonly accumulate?: boolean;
}

const forEach = <Xs extends readonly TensorInfo[]>(xs: Xs, make: () => TensorInfo) => xs.map(make) as Each<Xs>;

/** Records the sum over rows of each of `xs` [rows, columns], and returns them. */
export function columnSums<const Xs extends readonly TensorInfo[]>(
  gpu: Gpu,
  xs: Xs,
  rows: number,
  columns: number,
  {
    stride = columns,
    segments,
    totals = forEach(xs, () => gpu.output(segments === undefined ? [columns] : [segments, columns])),
    accumulate = false,
  }: ColumnSumOptions<Xs> = {},
): Each<Xs> {
  const groups = Math.ceil(elementsOfColumns(columns, stride).count / ELEMENTS);
  // Tall and narrow inputs would leave most of the device idle, so their rows are summed in blocks first.
  const blocks = segments ?? Math.min(64, Math.max(1, Math.ceil(rows / ROWS_A_BLOCK)));
  const isWhole = blocks === 1 || segments !== undefined;
  const into = isWhole ? totals : forEach(xs, () => gpu.output([blocks, columns]));
  const spec = { tensors: xs.length, columns, stride, accumulate: accumulate && isWhole };
  gpu.runInOrder(columnSumProgram, spec, [...xs, ...into], [rows, blocks], groups * blocks * xs.length);
  if (!isWhole) {
    columnSums(gpu, into, blocks, columns, { totals, accumulate });
    gpu.release(...into);
  }
  return totals;
}

/** Records the sum over rows of `x` [rows, columns], and returns it. */
export function columnSum(
  gpu: Gpu,
  x: TensorInfo,
  rows: number,
  columns: number,
  { total, ...options }: Omit<ColumnSumOptions<unknown>, 'totals'> & { readonly total?: TensorInfo } = {},
): TensorInfo {
  const [sum] = columnSums(gpu, [x], rows, columns, { ...options, ...(total && { totals: [total] }) });
  return sum;
}
