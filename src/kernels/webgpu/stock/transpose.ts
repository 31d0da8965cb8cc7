import { type TensorInfo, Transpose, type TransposeAttrs } from '@tensorflow/tfjs-core';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { isFloat, stockKernel } from '../runtime/stock_kernel.js';
import { elementsOf, times } from '../wgsl/elements.js';

/** Dimensions that stay side by side count as one, and those of size 1 as none. */
function simplify(shape: readonly number[], perm: readonly number[]): { extents: number[]; order: number[] } {
  const from = perm.filter((axis) => shape[axis] !== 1);
  const isNext = (i: number) => {
    if (i === 0) return false;
    const [before, axis] = [from[i - 1]!, from[i]!];
    return before < axis && shape.slice(before + 1, axis).every((extent) => extent === 1);
  };
  const groups: Array<{ axis: number; extent: number }> = [];
  for (const [i, axis] of from.entries()) {
    if (isNext(i)) groups.at(-1)!.extent *= shape[axis]!;
    else groups.push({ axis, extent: shape[axis]! });
  }
  const sorted = [...groups].sort((a, b) => a.axis - b.axis);
  return { extents: sorted.map(({ extent }) => extent), order: groups.map((group) => sorted.indexOf(group)) };
}

const TILE = 32;
const TILE_ROWS = 8;

/** [batch, rows, columns] → [batch, columns, rows], by tiles in shared memory. */
const swapProgram = defineProgram('stockTransposeTiles', (_: object) => ({
  workgroupSize: TILE * TILE_ROWS,
  reads: { x: 'f32' },
  writes: { y: 'f32' },
  uniforms: { rows: 'u32', columns: 'u32' },
  // A column more, so that the threads that read a column meet in no bank.
  declarations: `var<workgroup> tile: array<array<f32, ${TILE + 1}>, ${TILE}>;`,
  body: `
  let across = (u.columns + ${TILE - 1}u) / ${TILE}u;
  let tiles = across * ((u.rows + ${TILE - 1}u) / ${TILE}u);
  let base = workgroup / tiles * u.rows * u.columns;
  let row0 = workgroup % tiles / across * ${TILE}u;
  let column0 = workgroup % across * ${TILE}u;
  let inner = thread % ${TILE}u;
  let outer = thread / ${TILE}u;
  ${times(TILE / TILE_ROWS, (i) => {
    const row = `(row0 + outer + ${i * TILE_ROWS}u)`;
    return `let x${i} = x[base + min(${row}, u.rows - 1u) * u.columns + min(column0 + inner, u.columns - 1u)];`;
  })}
  ${times(TILE / TILE_ROWS, (i) => `tile[outer + ${i * TILE_ROWS}u][inner] = x${i};`)}
  workgroupBarrier();
  ${times(TILE / TILE_ROWS, (i) => {
    const column = `(column0 + outer + ${i * TILE_ROWS}u)`;
    return `if (${column} < u.columns && row0 + inner < u.rows) {
    y[base + ${column} * u.rows + row0 + inner] = tile[inner][outer + ${i * TILE_ROWS}u];
  }`;
  })}`,
}));

const WORKGROUP_SIZE = 256;
const PER_THREAD = 4;

/** [batch, b, c, d] → [batch, c, b, d], in vec4s where `d` allows them. */
const rowsProgram = defineProgram('stockTransposeRows', ({ vectors }: { vectors: boolean }) => {
  const type = vectors ? 'vec4f' : 'f32';
  return {
    workgroupSize: WORKGROUP_SIZE,
    reads: { x: type },
    writes: { y: type },
    uniforms: { size: 'u32', b: 'u32', c: 'u32', d: 'u32' },
    body: `
  let first = workgroup * ${WORKGROUP_SIZE * PER_THREAD}u + thread;
  ${times(
    PER_THREAD,
    (i) => `let at${i} = min(first + ${i * WORKGROUP_SIZE}u, u.size - 1u);
  let row${i} = at${i} / u.d;
  let rest${i} = row${i} / u.b;
  let from${i} = (rest${i} / u.c * u.b + row${i} % u.b) * u.c + rest${i} % u.c;
  let x${i} = x[from${i} * u.d + at${i} % u.d];`,
  )}
  ${times(PER_THREAD, (i) => `if (first + ${i * WORKGROUP_SIZE}u < u.size) { y[at${i}] = x${i}; }`)}`,
  };
});

function transposeRows(gpu: Gpu, x: TensorInfo, y: TensorInfo, [batch, b, c, d]: readonly number[]): void {
  const { type, count } = elementsOf(d!);
  const size = batch! * b! * c! * count;
  const workgroups = Math.ceil(size / (WORKGROUP_SIZE * PER_THREAD));
  gpu.run(rowsProgram, { vectors: type === 'vec4f' }, { x, y }, { size, b: b!, c: c!, d: count }, workgroups);
}

export const transpose = stockKernel<{ x: TensorInfo }, TransposeAttrs>(Transpose, (gpu, { x }, { perm }, backend) => {
  if (!isFloat(backend, x) || backend.shouldExecuteOnCPU([x])) return undefined;
  const { extents, order } = simplify(x.shape, perm);
  const layout = order.join();
  const output = () => gpu.output(perm.map((axis) => x.shape[axis]!));
  if (layout === '1,0' || layout === '0,2,1') {
    const [rows, columns] = extents.slice(-2) as [number, number];
    const tiles = Math.ceil(rows / TILE) * Math.ceil(columns / TILE);
    const y = output();
    gpu.run(swapProgram, {}, { x, y }, { rows, columns }, (extents.length === 3 ? extents[0]! : 1) * tiles);
    return y;
  }
  if (layout !== '1,0,2' && layout !== '0,2,1,3') return undefined;
  const y = output();
  transposeRows(gpu, x, y, extents.length === 3 ? [1, ...extents] : extents);
  return y;
});
