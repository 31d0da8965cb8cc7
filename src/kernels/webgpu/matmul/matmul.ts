import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { Activation } from '../../contracts/linear.js';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram, type StorageType } from '../runtime/program.js';
import { times } from '../wgsl/elements.js';
import { type Epilogue, epilogueDeclarations, NO_EPILOGUE, storeThroughEpilogue } from './epilogue.js';
import { OperandLoader, type OperandSpec } from './operand.js';
import { choosePlan, type Plan, TILES, threadsOf } from './tile.js';

interface MatmulSpec {
  /** Its number in TILES: specialisations are looked up on every call, so they are kept short. */
  readonly tile: number;
  readonly a: OperandSpec;
  readonly b: OperandSpec;
  /** Whether C, bias and z are stored in vec4s. */
  readonly vectors: boolean;
  readonly kTail: boolean;
  readonly epilogue: Epilogue;
}

/** Rows of tiles that workgroups cover before they go on to the next column, so that what they share stays in the cache. */
const GROUP_HEIGHT = 8;

/**
 * C = A · B. Half of a workgroup's threads fetch A and half B, one part of the sum ahead of the one that is multiplied. A
 * thread's rows lie in quads as far apart as its warp is high, so that a warp reads shared memory without conflicts. Every
 * accumulator is a named vec4: arrays that are indexed at run time would leave the registers.
 */
const matmulProgram = defineProgram('matmul', (spec: MatmulSpec) => {
  const { vectors, kTail, epilogue } = spec;
  const tile = TILES[spec.tile]!;
  const threads = threadsOf(tile);
  const a = new OperandLoader('a', spec.a, tile, threads / 2, kTail);
  const b = new OperandLoader('b', spec.b, tile, threads / 2, kTail);
  const { lanes: laneRows, steps: rowQuads } = a.spread;
  const { lanes: laneColumns, steps: columnQuads, warps: warpColumns } = b.spread;
  const type = vectors ? 'vec4f' : 'f32';
  const operandType = (operand: OperandSpec): StorageType => (operand.vectors ? 'vec4f' : 'f32');

  const fetch = (k: string) => `
    if (thread < ${threads / 2}u) { ${a.fetch('thread', k)} }
    else { ${b.fetch(`(thread - ${threads / 2}u)`, k)} }`;
  const multiply = times(
    tile.depth,
    (k) => `{
    ${times(rowQuads, (i) => `let a${i} = ${a.read(k, i, 'laneRow', 'warpRow')};`)}
    ${times(columnQuads, (j) => `let b${j} = ${b.read(k, j, 'laneColumn', 'warpColumn')};`)}
    ${times(rowQuads, (i) =>
      times(4, (q) =>
        times(columnQuads, (j) => `c${i * 4 + q}_${j} = fma(vec4f(a${i}.${'xyzw'[q]}), b${j}, c${i * 4 + q}_${j});`),
      ),
    )}
    }`,
  );
  const store = (i: number, j: number) => {
    const value = `c${i}_${j}`;
    if (vectors) {
      return `if (column${j} < (bExtent + 3u) / 4u) { ${storeThroughEpilogue(epilogue, type, value, `at + column${j}`, `column${j}`)} }`;
    }
    return times(4, (q) => {
      const column = `(column${j} * 4u + ${q}u)`;
      return `if (${column} < bExtent) { ${storeThroughEpilogue(epilogue, type, `${value}.${'xyzw'[q]}`, `at + ${column}`, column)} }`;
    });
  };

  return {
    workgroupSize: threads,
    reads: { a: operandType(spec.a), b: operandType(spec.b), ...(epilogue.bias && { bias: epilogue.bias }) },
    writes: { c: type, ...(epilogue.keepZ && { zOut: type }) },
    uniforms: {
      m: 'u32',
      n: 'u32',
      k: 'u32',
      aStride: 'u32',
      bStride: 'u32',
      cStride: 'u32',
      aOffset: 'u32',
      bOffset: 'u32',
      cOffset: 'u32',
      sliceDepth: 'u32',
    },
    declarations: `
var<workgroup> aTile: ${a.type};
var<workgroup> bTile: ${b.type};
${epilogueDeclarations(epilogue, type)}`,
    body: `
  let aExtent = u.m; let bExtent = u.n; let aStride = u.aStride; let bStride = u.bStride;
  let aOffset = u.aOffset; let bOffset = u.bOffset;
  let tileRows = (u.m + ${tile.rows - 1}u) / ${tile.rows}u;
  let tileColumns = (u.n + ${tile.columns - 1}u) / ${tile.columns}u;
  let slice = workgroup / (tileRows * tileColumns);
  let tile = workgroup % (tileRows * tileColumns);
  let group = tile / (${GROUP_HEIGHT}u * tileColumns);
  let groupHeight = min(${GROUP_HEIGHT}u, tileRows - group * ${GROUP_HEIGHT}u);
  let inGroup = tile % (${GROUP_HEIGHT}u * tileColumns);
  let aStart = (group * ${GROUP_HEIGHT}u + inGroup % groupHeight) * ${tile.rows}u;
  let bStart = (inGroup / groupHeight) * ${tile.columns}u;
  let kStart = slice * u.sliceDepth;
  let kEnd = min(u.k, kStart + u.sliceDepth);

  let lane = thread % 32u;
  let warp = thread / 32u;
  let warpRow = warp / ${warpColumns}u;
  let warpColumn = warp % ${warpColumns}u;
  let laneRow = lane / ${laneColumns}u;
  let laneColumn = lane % ${laneColumns}u;
  let rowQuad = warpRow * ${laneRows * rowQuads}u + laneRow;
  let columnQuad = warpColumn * ${laneColumns * columnQuads}u + laneColumn;
  ${times(Math.max(a.registers, b.registers), (i) => `var fetch${i}: vec4f;`)}
  ${times(tile.threadRows, (i) => times(columnQuads, (j) => `var c${i}_${j}: vec4f;`))}

  ${fetch('kStart')}
  for (var k = kStart; k < kEnd; k += ${tile.depth}u) {
    workgroupBarrier();
    if (thread < ${threads / 2}u) { ${a.store('thread')} } else { ${b.store(`(thread - ${threads / 2}u)`)} }
    workgroupBarrier();
    if (k + ${tile.depth}u < kEnd) { ${fetch(`(k + ${tile.depth}u)`)} }
    ${multiply}
  }

  ${times(columnQuads, (j) => `let column${j} = bStart / 4u + columnQuad + ${j * laneColumns}u;`)}
  ${times(rowQuads, (i) =>
    times(
      4,
      (q) => `{
      let row = aStart + (rowQuad + ${i * laneRows}u) * 4u + ${q}u;
      if (row < u.m) { let at = u.cOffset + (slice * u.m + row) * u.cStride; ${times(columnQuads, (j) => store(i * 4 + q, j))} }
    }`,
    ),
  )}`,
  };
});

/** C = epilogue(sum of the slices), in their order. */
const sliceSumProgram = defineProgram(
  'matmulSliceSum',
  ({ epilogue, vectors }: { epilogue: Epilogue; vectors: boolean }) => {
    const type = vectors ? 'vec4f' : 'f32';
    return {
      workgroupSize: 256,
      reads: { parts: type, ...(epilogue.bias && { bias: epilogue.bias }) },
      writes: { c: type, ...(epilogue.keepZ && { zOut: type }) },
      uniforms: { rows: 'u32', columns: 'u32', slices: 'u32', cOffset: 'u32' },
      declarations: epilogueDeclarations(epilogue, type),
      body: `
  let at = workgroup * 256u + thread;
  let size = u.rows * u.columns;
  if (at >= size) { return; }
  var sum = parts[at];
  for (var slice = 1u; slice < u.slices; slice++) { sum += parts[slice * size + at]; }
  ${storeThroughEpilogue(epilogue, type, 'sum', '(u.cOffset + at)', '(at % u.columns)')}`,
    };
  },
);

export interface MatmulOperand {
  readonly tensor: TensorInfo;
  readonly layout: OperandSpec['layout'];
  /** Floats from one row in memory to the next: the row's length, or more where rows are padded (with zeros). */
  readonly stride: number;
  /** Floats before the first row, a multiple of the stride. Default 0. */
  readonly offset?: number;
}

/** `c [m, n] = activation(a [m, k] · b [k, n] + bias)`, or c += a · b. */
export interface MatmulCall {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: MatmulOperand;
  readonly b: MatmulOperand;
  readonly c: TensorInfo;
  /** Floats from one row of C to the next. Default n. */
  readonly cStride?: number;
  /** Floats of C before the first row, a multiple of cStride. Default 0. */
  readonly cOffset?: number;
  /** [n] */
  readonly bias?: TensorInfo | undefined;
  /** Default 'none'. */
  readonly activation?: Activation;
  /** Where the value before the activation is stored. */
  readonly z?: TensorInfo | undefined;
  /** Adds to what C holds already. Default false. */
  readonly accumulate?: boolean;
  /** Where the parts of a split sum go, if they fit; otherwise they get a tensor of their own. */
  readonly workspace?: TensorInfo | undefined;
  /** The tile and split, instead of those that are chosen by shape. */
  readonly plan?: Plan;
}

/** Records a matmul. The sum is taken in an order that depends on the shape alone. */
export function matmul(gpu: Gpu, call: MatmulCall): void {
  const { m, n, k, a, b, c, bias, z, workspace } = call;
  if (m === 0 || n === 0) return;
  const { cStride = n, cOffset = 0, activation = 'none', accumulate = false, plan = choosePlan(m, n, k) } = call;
  const { tile, slices } = plan;
  const vectors = cStride % 4 === 0;
  const epilogue: Epilogue = {
    activation,
    accumulate,
    bias: bias !== undefined && (vectors && n % 4 === 0 ? 'vec4f' : 'f32'),
    keepZ: z !== undefined,
  };
  const unit = vectors ? 4 : 1;
  const operand = ({ layout, stride }: MatmulOperand, exact: boolean): OperandSpec => ({
    layout,
    vectors: stride % 4 === 0,
    exact,
  });
  const specA = operand(a, m % tile.rows === 0);
  const specB = operand(b, n % tile.columns === 0);
  const sliceDepth = Math.ceil(k / slices / tile.depth) * tile.depth;
  const spec: MatmulSpec = {
    tile: TILES.indexOf(tile),
    a: specA,
    b: specB,
    vectors,
    kTail: k % tile.depth !== 0,
    epilogue: slices > 1 ? NO_EPILOGUE : epilogue,
  };
  const uniforms = {
    m,
    n,
    k,
    aStride: a.stride / (specA.vectors ? 4 : 1),
    bStride: b.stride / (specB.vectors ? 4 : 1),
    cStride: cStride / unit,
    aOffset: (a.offset ?? 0) / (specA.vectors ? 4 : 1),
    bOffset: (b.offset ?? 0) / (specB.vectors ? 4 : 1),
    cOffset: slices > 1 ? 0 : cOffset / unit,
    sliceDepth,
  };
  const tiles = Math.ceil(m / tile.rows) * Math.ceil(n / tile.columns);
  if (slices === 1) {
    gpu.run(matmulProgram, spec, { a: a.tensor, b: b.tensor, bias, c, zOut: z }, uniforms, tiles);
    return;
  }
  const fits = workspace && util.sizeFromShape(workspace.shape) >= slices * m * cStride;
  const parts = fits ? workspace : gpu.output([slices, m, cStride]);
  gpu.run(matmulProgram, spec, { a: a.tensor, b: b.tensor, c: parts }, uniforms, tiles * slices);
  const size = { rows: m, columns: cStride / unit, slices, cOffset: cOffset / unit };
  const workgroups = Math.ceil((m * size.columns) / 256);
  gpu.run(sliceSumProgram, { epilogue, vectors }, { parts, bias, c, zOut: z }, size, workgroups);
  if (!fits) gpu.release(parts);
}

/** Floats that the parts of a split sum need; 0 where it isn't split. */
export function workspaceSize(m: number, n: number, k: number): number {
  const { slices } = choosePlan(m, n, k);
  return slices > 1 ? slices * m * n : 0;
}
