import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { range } from '../wgsl/elements.js';
import { type Epilogue, epilogueDeclarations, NO_EPILOGUE, storeThroughEpilogue } from './epilogue.js';
import type { OperandSpec } from './operand.js';
import { type Plan, plansOf } from './plans.js';
import { loadQuad, type ProductSpec, storeQuad, TileProduct, tilePlace } from './product.js';
import { TILES } from './tile.js';

interface MatmulSpec extends ProductSpec {
  /** Whether C, bias and z are stored in vec4s. */
  readonly vectors: boolean;
  /** Whether the sum begins with what C holds: read at the end, one after the other, it would be waited for. */
  readonly accumulate: boolean;
  readonly epilogue: Epilogue;
  /** Whether there are several products, in the place of slices of one. */
  readonly batched?: true;
}

/** Which of an operand's matrices each of several products has. */
const BATCH_UNIFORMS = {
  aRepeat: 'u32',
  aCount: 'u32',
  aSize: 'u32',
  bRepeat: 'u32',
  bCount: 'u32',
  bSize: 'u32',
} as const;

/** C = epilogue(A · B), C + A · B, or the parts of the sum. */
const matmulProgram = defineProgram('matmul', (spec: MatmulSpec) => {
  const { vectors, accumulate, epilogue, batched } = spec;
  const tile = TILES[spec.tile]!;
  const product = new TileProduct(spec);
  const type = vectors ? 'vec4f' : 'f32';
  const columns = range(product.columnQuads);
  const start = product.forEachRow(
    (sums) => `
      let at = u.cOffset + min(aStart + rowInTile, u.m - 1u) * u.cStride;
      ${columns.map((j) => `${sums[j]} = ${loadQuad(vectors, `column${j}`, 'bExtent', 'at')};`).join('\n')}`,
  );
  return {
    workgroupSize: product.workgroupSize,
    reads: { ...product.reads, ...(epilogue.bias && { bias: epilogue.bias }) },
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
      ...(batched ? BATCH_UNIFORMS : { sliceDepth: 'u32' }),
    },
    declarations: product.declarations + epilogueDeclarations(epilogue, type),
    body: `
  let aExtent = u.m; let bExtent = u.n; let aStride = u.aStride; let bStride = u.bStride;
  let tileRows = (u.m + ${tile.rows - 1}u) / ${tile.rows}u;
  let tileColumns = (u.n + ${tile.columns - 1}u) / ${tile.columns}u;
  let slice = workgroup / (tileRows * tileColumns);
  let tile = workgroup % (tileRows * tileColumns);
  ${tilePlace('tile')}
  let aStart = tileRow * ${tile.rows}u;
  let bStart = tileColumn * ${tile.columns}u;
  ${
    batched
      ? `let kStart = 0u; let kEnd = u.k;
  let aOffset = u.aOffset + slice / u.aRepeat % u.aCount * u.aSize;
  let bOffset = u.bOffset + slice / u.bRepeat % u.bCount * u.bSize;`
      : `let kStart = slice * u.sliceDepth;
  let kEnd = min(u.k, kStart + u.sliceDepth);
  let aOffset = u.aOffset; let bOffset = u.bOffset;`
  }
  ${product.begin}
  ${columns.map((j) => `let column${j} = bStart / 4u + ${product.quad(j)};`).join('\n')}
  ${accumulate ? start : ''}
  ${product.sum}
  ${product.forEachRow(
    (sums) => `
      let row = aStart + rowInTile;
      if (row < u.m) {
        let at = u.cOffset + (slice * u.m + row) * u.cStride;
        ${columns
          .map((j) =>
            storeQuad(vectors, `column${j}`, 'bExtent', (column, of) =>
              storeThroughEpilogue(epilogue, type, of(sums[j]!), `at + ${column}`, column),
            ),
          )
          .join('\n')}
      }`,
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

interface SliceSum {
  readonly parts: TensorInfo;
  readonly c: TensorInfo;
  readonly rows: number;
  /** Floats of a row. */
  readonly columns: number;
  readonly slices: number;
  /** Floats of C before the first row. Default 0. */
  readonly cOffset?: number;
  readonly epilogue?: Epilogue;
  readonly bias?: TensorInfo | undefined;
  readonly z?: TensorInfo | undefined;
}

/** Records the sum of slices [slices, rows, columns]. */
export function sumSlices(gpu: Gpu, call: SliceSum): void {
  const { parts, c, rows, columns, slices, cOffset = 0, epilogue = NO_EPILOGUE, bias, z } = call;
  const vectors = columns % 4 === 0;
  const unit = vectors ? 4 : 1;
  const size = { rows, columns: columns / unit, slices, cOffset: cOffset / unit };
  const workgroups = Math.ceil((rows * size.columns) / 256);
  gpu.run(sliceSumProgram, { epilogue, vectors }, { parts, bias, c, zOut: z }, size, workgroups);
}

export interface MatmulOperand {
  readonly tensor: TensorInfo;
  readonly layout: OperandSpec['layout'];
  /** Floats from one row in memory to the next: the row's length, or more where rows are padded (with zeros). */
  readonly stride: number;
  /** Floats before the first row, a multiple of the stride. Default 0. */
  readonly offset?: number;
  /** Of several products: how many matrices there are, and for how many products in turn each of them is. Default 1. */
  readonly count?: number;
  readonly repeat?: number;
}

/** What an operand's WGSL depends on. */
export const operandSpec = (
  { layout, stride }: Pick<MatmulOperand, 'layout' | 'stride'>,
  exact: boolean,
): OperandSpec => ({
  layout,
  vectors: stride % 4 === 0,
  exact,
});

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
  readonly activation?: Epilogue['activation'];
  /** Where the value before the activation is stored. */
  readonly z?: TensorInfo | undefined;
  /** Adds to what C holds already. Default false. */
  readonly accumulate?: boolean;
  /** Where the parts of a split sum go, if they fit; otherwise they get a tensor of their own. */
  readonly workspace?: TensorInfo | undefined;
  /** Floats that the parts of a split sum may take. */
  readonly mostParts?: number | undefined;
  /** How many products there are, whose C lie one after another. The sums of several are not split. Default 1. */
  readonly batch?: number;
  /** The tile and split, instead of those that are chosen by shape. */
  readonly plan?: Plan;
}

/** Records a matmul, or several of one shape. The sum is taken in an order that depends on the shape and the device's plans alone. */
export function matmul(gpu: Gpu, call: MatmulCall): void {
  const { m, n, k, a, b, c, bias, z, workspace } = call;
  if (m === 0 || n === 0) return;
  const { cStride = n, cOffset = 0, activation = 'none', accumulate = false } = call;
  const { batch = 1, plan = plansOf(gpu).choose(m, n, k, call.mostParts, batch) } = call;
  const { slices } = plan;
  const tile = TILES[plan.tile]!;
  const vectors = cStride % 4 === 0;
  const epilogue: Epilogue = {
    activation,
    accumulate,
    bias: bias !== undefined && (vectors && n % 4 === 0 ? 'vec4f' : 'f32'),
    keepZ: z !== undefined,
  };
  const unit = vectors ? 4 : 1;
  const specA = operandSpec(a, m % tile.rows === 0);
  const specB = operandSpec(b, n % tile.columns === 0);
  const sliceDepth = Math.ceil(k / slices / tile.depth) * tile.depth;
  const spec: MatmulSpec = {
    tile: plan.tile,
    a: specA,
    b: specB,
    vectors,
    kTail: k % tile.depth !== 0,
    accumulate: accumulate && slices === 1,
    epilogue: slices > 1 ? NO_EPILOGUE : { ...epilogue, accumulate: false },
    ...(batch > 1 && { batched: true }),
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
    ...(batch > 1 && {
      aRepeat: a.repeat ?? 1,
      aCount: a.count ?? 1,
      aSize: (m * k) / (specA.vectors ? 4 : 1),
      bRepeat: b.repeat ?? 1,
      bCount: b.count ?? 1,
      bSize: (k * n) / (specB.vectors ? 4 : 1),
    }),
  };
  const tiles = Math.ceil(m / tile.rows) * Math.ceil(n / tile.columns) * batch;
  if (slices === 1) {
    gpu.run(matmulProgram, spec, { a: a.tensor, b: b.tensor, bias, c, zOut: z }, uniforms, tiles);
    return;
  }
  const fits = workspace && util.sizeFromShape(workspace.shape) >= slices * m * cStride;
  const parts = fits ? workspace : gpu.output([slices, m, cStride]);
  gpu.run(matmulProgram, spec, { a: a.tensor, b: b.tensor, c: parts }, uniforms, tiles * slices);
  sumSlices(gpu, { parts, c, rows: m, columns: cStride, slices, cOffset, epilogue, bias, z });
  if (!fits) gpu.release(parts);
}

/** Floats that the parts of a split sum need; 0 where it isn't split. */
export function workspaceSize(gpu: Gpu, m: number, n: number, k: number, mostParts?: number): number {
  const { slices } = plansOf(gpu).choose(m, n, k, mostParts);
  return slices > 1 ? slices * m * n : 0;
}
