import {
  Max,
  type MaxAttrs,
  Mean,
  type MeanAttrs,
  Sum,
  type SumAttrs,
  type TensorInfo,
  util,
} from '@tensorflow/tfjs-core';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { isFloat, stockKernel } from '../runtime/stock_kernel.js';
import { columnSum } from '../shared/column_sum.js';
import { elementsOf, powerOfTwo, times } from '../wgsl/elements.js';
import { rowReduction } from '../wgsl/reduction.js';

const WORKGROUP_SIZE = 256;
/** Elements of a row that each thread has under way together. */
const IN_FLIGHT = 4;
/** Elements of a part, where there are too few rows for a device: as many as 32 turns of a workgroup read. */
const PART = 32 * IN_FLIGHT * WORKGROUP_SIZE;
/** Rows from which on a device is busy without parts. */
const MANY_ROWS = 512;

interface ReductionSpec {
  op: 'add' | 'max';
  /** Whether rows are read in vec4s. */
  vectors: boolean;
  /** Threads of a row. */
  lanes: number;
}

/** Floats as unsigned integers of the same order, with NaN above all: WGSL's own maximum may leave it out. */
const ORDER = `
fn orderOf(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let key = bits ^ (u32(bitcast<i32>(x) >> 31u) | 0x80000000u);
  return select(key, 0xffffffffu, (bits & 0x7fffffffu) > 0x7f800000u);
}
fn floatOf(key: u32) -> f32 { return bitcast<f32>(key ^ (u32(i32(~key) >> 31u) | 0x80000000u)); }`;

/** The sum or maximum of each row, or of each of `parts` of a row, divided by `divisor`. */
const reductionProgram = defineProgram('stockReduction', ({ op, vectors, lanes }: ReductionSpec, gpu) => {
  const type = vectors ? 'vec4f' : 'f32';
  const isSum = op === 'add';
  const components = vectors ? ['.x', '.y', '.z', '.w'] : [''];
  const take = (value: string) =>
    isSum ? `total += ${value};` : components.map((c) => `total = max(total, orderOf(${value}${c}));`).join(' ');
  return {
    workgroupSize: WORKGROUP_SIZE,
    rowsPerWorkgroup: WORKGROUP_SIZE / lanes,
    reads: { x: type },
    writes: { y: 'f32' },
    uniforms: { rows: 'u32', count: 'u32', parts: 'u32', partCount: 'u32', divisor: 'f32' },
    declarations: `${rowReduction(gpu, WORKGROUP_SIZE, lanes, 'reduceRow', { op, type: isSum ? 'f32' : 'u32' })}${isSum ? '' : ORDER}`,
    body: `
  let place = thread % ${lanes}u;
  let row = workgroup * ${WORKGROUP_SIZE / lanes}u + thread / ${lanes}u;
  let first = row / u.parts * u.count;
  let start = min(u.count, row % u.parts * u.partCount);
  let end = select(0u, first + min(u.count, start + u.partCount), row < u.rows);
  var total = ${isSum ? `${type}()` : '0u'};
  for (var at = first + start + place; at < end; at += ${IN_FLIGHT * lanes}u) {
    ${times(IN_FLIGHT, (i) => `let at${i} = at + ${i * lanes}u; let x${i} = x[min(at${i}, end - 1u)];`)}
    ${times(IN_FLIGHT, (i) => (isSum ? take(`select(${type}(), x${i}, at${i} < end)`) : take(`x${i}`)))}
  }
  let result = reduceRow(${isSum && vectors ? 'dot(total, vec4f(1.0))' : 'total'});
  if (place == 0u && row < u.rows) { y[row] = ${isSum ? 'result / u.divisor' : 'floatOf(result)'}; }`,
  };
});

/** Writes what each of the rows of `x` comes to into `y`. */
function reduceRows(
  gpu: Gpu,
  op: ReductionSpec['op'],
  x: TensorInfo,
  y: TensorInfo,
  rows: number,
  divisor: number,
): void {
  const columns = util.sizeFromShape(x.shape) / rows;
  const { type, count } = elementsOf(columns);
  const parts = rows >= MANY_ROWS ? 1 : Math.ceil(count / PART);
  const partCount = Math.ceil(count / parts);
  const lanes = Math.min(WORKGROUP_SIZE, powerOfTwo(Math.ceil(partCount / IN_FLIGHT)));
  const into = parts > 1 ? gpu.output([rows, parts]) : y;
  const uniforms = { count, parts, partCount, divisor: parts > 1 ? 1 : divisor };
  gpu.run(reductionProgram, { op, vectors: type === 'vec4f', lanes }, { x, y: into }, uniforms, { rows: rows * parts });
  if (parts === 1) return;
  reduceRows(gpu, op, into, y, rows, divisor);
  gpu.release(into);
}

/** The shape that is left, and whether the reduced dimensions are the last ones, or the first, but for those of size 1. */
function splitShape(shape: readonly number[], axis: number | number[] | undefined, keepDims: boolean | undefined) {
  const axes = util.parseAxisParam(axis as number[], [...shape]);
  const left = keepDims
    ? shape.map((extent, i) => (axes.includes(i) ? 1 : extent))
    : shape.filter((_, i) => !axes.includes(i));
  const order = shape.flatMap((extent, i) => (extent === 1 ? [] : [axes.includes(i)]));
  return {
    left,
    isLast: order.every((isReduced, i) => isReduced || !order[i - 1]),
    isFirst: order.every((isReduced, i) => !isReduced || i === 0 || order[i - 1]),
  };
}

/** Floats from which on the columns of one length get a program of their own. */
const MANY_FLOATS = 2 ** 16;

export const sum = stockKernel<{ x: TensorInfo }, SumAttrs>(Sum, (gpu, { x }, { axis, keepDims }, backend) => {
  const { left, isLast, isFirst } = splitShape(x.shape, axis, keepDims);
  const [size, columns] = [util.sizeFromShape(x.shape), util.sizeFromShape(left)];
  if (!isFloat(backend, x) || !(isLast || (isFirst && size >= MANY_FLOATS))) return undefined;
  const y = gpu.output(left);
  if (isLast) reduceRows(gpu, 'add', x, y, columns, 1);
  else columnSum(gpu, x, size / columns, columns, { total: y });
  return y;
});

export const mean = stockKernel<{ x: TensorInfo }, MeanAttrs>(Mean, (gpu, { x }, { axis, keepDims }, backend) => {
  const { left, isLast } = splitShape(x.shape, axis, keepDims);
  if (!isFloat(backend, x) || !isLast) return undefined;
  const y = gpu.output(left);
  const rows = util.sizeFromShape(left);
  reduceRows(gpu, 'add', x, y, rows, util.sizeFromShape(x.shape) / rows);
  return y;
});

export const max = stockKernel<{ x: TensorInfo }, MaxAttrs>(
  Max,
  (gpu, { x }, { reductionIndices, keepDims }, backend) => {
    const { left, isLast } = splitShape(x.shape, reductionIndices, keepDims);
    if (!isFloat(backend, x) || !isLast || backend.shouldExecuteOnCPU([x])) return undefined;
    const y = gpu.output(left);
    reduceRows(gpu, 'max', x, y, util.sizeFromShape(left), 1);
    return y;
  },
);
