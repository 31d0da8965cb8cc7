import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { SwigluAttrs } from '../../contracts/swiglu.js';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { range } from '../wgsl/elements.js';
import { gatedAfterMultipliers } from '../wgsl/pointwise.js';
import { type MatmulOperand, operandSpec } from './matmul.js';
import type { OperandRows } from './operand.js';
import { plansOf } from './plans.js';
import { type ProductSpec, storeQuad, TileProduct, tilePlace } from './product.js';
import { TILES, type Tile } from './tile.js';

/** Whether a thread has whole pairs of quads of a tile: one of gate and the one of up that it multiplies. */
export const isForPairs = ({ threadColumns }: Tile) => threadColumns % 8 === 0;

/**
 * The rows of gate's and up's weights as those of one operand B of twice the columns, in turns of as many quads as lanes lie side
 * by side: a thread's quads are gate's and up's of the same columns by turns, so that it has both in registers.
 *
 * @param columns WGSL of how many columns gate has, and up.
 * @param exact Whether tiles cover them exactly.
 * @param up Where up's weight is: in a buffer of its own, or in that of gate, after it.
 */
export function gateUpRows({ laneColumns }: Tile, columns: string, exact: boolean, up: 'apart' | 'after'): OperandRows {
  const turn = 4 * laneColumns;
  const isUp = (row: string) => `${row} / ${turn}u % 2u`;
  const ofEither = (first: string, past: number) => {
    const row = `${first} / ${2 * turn}u * ${turn}u + ${first} % ${turn}u + ${past}u`;
    return exact ? `(${row})` : `min(${row}, ${columns} - 1u)`;
  };
  if (up === 'after') {
    return { row: (first, past) => `(${ofEither(first, past)} + ${isUp(first)} * ${columns})` };
  }
  return { row: ofEither, other: { buffer: 'up', holds: (quad) => `${isUp(`(${quad} * 4u)`)} == 1u` } };
}

/**
 * WGSL that stores y = silu(gate) · up, and gate and up where they are kept, of a row that begins at `at`, from the quads of a product
 * by {@link gateUpRows}. It finds `firstQuad`, the tile's first quad of gate's columns.
 *
 * What is kept is multiplied already, also for the sake of speed: a sum that is stored as it is and goes on to be computed with keeps
 * NVIDIA's compiler from arranging the registers well, which makes the whole product 15 % slower.
 */
export function storeGated(product: TileProduct, sums: readonly string[], spec: GatedStore, columns: string): string {
  const pairs = product.columnQuads / 2;
  const { y } = gatedAfterMultipliers('silu', typeOf(spec.vectors));
  return range(pairs)
    .map((j) => {
      const [gate, up] = [sums[2 * j]!, sums[2 * j + 1]!];
      return `{ let quad = firstQuad + ${product.quad(j, pairs)}; ${storeQuad(
        spec.vectors,
        'quad',
        columns,
        (column, of) => `{
        let gate = ${of(gate)} * u.gateMultiplier;
        let up = ${of(up)} * u.downMultiplier;
        ${spec.keeps ? `gateOut[at + ${column}] = gate; upOut[at + ${column}] = up;` : ''}
        y[at + ${column}] = ${y};
      }`,
      )} }`;
    })
    .join('\n');
}

export interface GatedStore {
  /** Whether y, gate and up are stored in vec4s. */
  readonly vectors: boolean;
  /** Whether gate and up are stored, too. */
  readonly keeps: boolean;
}

/** Floats of an element. */
export const unitOf = (vectors: boolean) => (vectors ? 4 : 1);
const typeOf = (vectors: boolean) => (vectors ? ('vec4f' as const) : ('f32' as const));

/** The buffers that {@link storeGated} writes. */
export const gatedWrites = ({ vectors, keeps }: GatedStore) => ({
  y: typeOf(vectors),
  ...(keeps && { gateOut: typeOf(vectors), upOut: typeOf(vectors) }),
});

/** gate = a · gateWeightᵀ · gateMultiplier, up = a · upWeightᵀ · downMultiplier and y = silu(gate) · up. */
const gatedProgram = defineProgram('gatedMatmul', (spec: ProductSpec & GatedStore) => {
  const tile = TILES[spec.tile]!;
  const product = new TileProduct(spec, { b: gateUpRows(tile, 'u.n', spec.b.exact, 'apart') });
  const { uniforms, declarations } = gatedAfterMultipliers('silu', typeOf(spec.vectors));
  return {
    workgroupSize: product.workgroupSize,
    reads: { ...product.reads, up: product.reads.b },
    writes: gatedWrites(spec),
    uniforms: { m: 'u32', n: 'u32', k: 'u32', aStride: 'u32', bStride: 'u32', yStride: 'u32', ...uniforms },
    declarations: product.declarations + declarations,
    body: `
  let aExtent = u.m; let aStride = u.aStride; let bStride = u.bStride;
  let aOffset = 0u; let bOffset = 0u; let kStart = 0u; let kEnd = u.k;
  let tileRows = (u.m + ${tile.rows - 1}u) / ${tile.rows}u;
  let tileColumns = (2u * u.n + ${tile.columns - 1}u) / ${tile.columns}u;
  ${tilePlace('workgroup')}
  let aStart = tileRow * ${tile.rows}u;
  let bStart = tileColumn * ${tile.columns}u;
  ${product.begin}
  ${product.sum}

  let firstQuad = bStart / 8u;
  ${product.forEachRow(
    (sums) => `
      let row = aStart + rowInTile;
      if (row < u.m) { let at = row * u.yStride; ${storeGated(product, sums, spec, 'u.n')} }`,
  )}`,
  };
});

/** `y [m, n]` of gate and up, which are a [m, k] times two weights [n, k]. */
export interface GatedCall {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: TensorInfo;
  readonly gateWeight: TensorInfo;
  readonly upWeight: TensorInfo;
  readonly y: TensorInfo;
  /** Where gate and up are stored, if they are kept. */
  readonly gate?: TensorInfo | undefined;
  readonly up?: TensorInfo | undefined;
  readonly multipliers: SwigluAttrs;
}

/** Records both products and what follows as one pass. */
export function gatedMatmul(gpu: Gpu, { m, n, k, a, gateWeight, upWeight, y, gate, up, multipliers }: GatedCall): void {
  if (m === 0 || n === 0) return;
  const number = plansOf(gpu).chooseTile(m, 2 * n, k, isForPairs);
  const tile = TILES[number]!;
  const [vectors, operand] = [n % 4 === 0, { layout: 'kInner', stride: k } as const];
  const spec = {
    tile: number,
    a: operandSpec(operand, m % tile.rows === 0),
    b: operandSpec(operand, (2 * n) % tile.columns === 0),
    kTail: k % tile.depth !== 0,
    vectors,
    keeps: gate !== undefined,
  };
  const stride = k / unitOf(spec.a.vectors);
  const uniforms = { m, n, k, aStride: stride, bStride: stride, yStride: n / unitOf(vectors), ...multipliers };
  const tensors = { a, b: gateWeight, up: upWeight, y, gateOut: gate, upOut: up };
  const workgroups = Math.ceil(m / tile.rows) * Math.ceil((2 * n) / tile.columns);
  gpu.run(gatedProgram, spec, tensors, uniforms, workgroups);
}

/** dy = a · b, which is not stored, and what dgate, dup and y come to by it, and by gate and up as the forward pass keeps them. */
const gatedGradProgram = defineProgram('gatedMatmulGrad', (spec: ProductSpec & { vectors: boolean }) => {
  const tile = TILES[spec.tile]!;
  const product = new TileProduct(spec);
  const type = typeOf(spec.vectors);
  const { y, common, slopes, uniforms, declarations } = gatedAfterMultipliers('silu', type);
  return {
    workgroupSize: product.workgroupSize,
    reads: { ...product.reads, gateIn: type, upIn: type },
    writes: { dgate: type, dup: type, y: type },
    uniforms: { m: 'u32', n: 'u32', k: 'u32', aStride: 'u32', bStride: 'u32', yStride: 'u32', ...uniforms },
    declarations: product.declarations + declarations,
    body: `
  let aExtent = u.m; let bExtent = u.n; let aStride = u.aStride; let bStride = u.bStride;
  let aOffset = 0u; let bOffset = 0u; let kStart = 0u; let kEnd = u.k;
  let tileRows = (u.m + ${tile.rows - 1}u) / ${tile.rows}u;
  let tileColumns = (u.n + ${tile.columns - 1}u) / ${tile.columns}u;
  ${tilePlace('workgroup')}
  let aStart = tileRow * ${tile.rows}u;
  let bStart = tileColumn * ${tile.columns}u;
  ${product.begin}
  ${product.sum}

  ${product.forEachRow(
    (sums) => `
      let row = aStart + rowInTile;
      if (row < u.m) {
        ${sums
          .map(
            (sum, j) =>
              `{ let quad = bStart / 4u + ${product.quad(j)}; ${storeQuad(
                spec.vectors,
                'quad',
                'u.n',
                (column, of) => `{
          let at = row * u.yStride + ${column};
          let dy = ${of(sum)};
          let gate = gateIn[at];
          let up = upIn[at];
          ${common}
          dgate[at] = ${slopes.dgate};
          dup[at] = ${slopes.dup};
          y[at] = ${y};
        }`,
              )} }`,
          )
          .join('\n')}
      }`,
  )}`,
  };
});

/** dgate and dup [m, n] for dy = a [m, k] · b, and y again. */
export interface GatedGradCall {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: MatmulOperand;
  readonly b: MatmulOperand;
  readonly gate: TensorInfo;
  readonly up: TensorInfo;
  readonly dgate: TensorInfo;
  readonly dup: TensorInfo;
  readonly y: TensorInfo;
  readonly multipliers: SwigluAttrs;
}

/** Records the product, and what follows, as one pass. */
export function gatedMatmulGrad(gpu: Gpu, call: GatedGradCall): void {
  const { m, n, k, a, b, gate, up, dgate, dup, y, multipliers } = call;
  if (m === 0 || n === 0) return;
  const number = plansOf(gpu).chooseTile(m, n, k, () => true);
  const tile = TILES[number]!;
  const vectors = n % 4 === 0;
  const spec = {
    tile: number,
    a: operandSpec(a, m % tile.rows === 0),
    b: operandSpec(b, n % tile.columns === 0),
    kTail: k % tile.depth !== 0,
    vectors,
  };
  const [aStride, bStride] = [a.stride / unitOf(spec.a.vectors), b.stride / unitOf(spec.b.vectors)];
  const uniforms = { m, n, k, aStride, bStride, yStride: n / unitOf(vectors), ...multipliers };
  const tensors = { a: a.tensor, b: b.tensor, gateIn: gate, upIn: up, dgate, dup, y };
  const workgroups = Math.ceil(m / tile.rows) * Math.ceil(n / tile.columns);
  gpu.run(gatedGradProgram, spec, tensors, uniforms, workgroups);
}
