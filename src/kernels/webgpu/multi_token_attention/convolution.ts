import type { Pair } from '../../contracts/multi_token_attention.js';
import { defineProgram } from '../runtime/program.js';
import { range, times } from '../wgsl/elements.js';
import { convolutionUniforms, type MapSource, mapReads, mapRow, mapValue } from './map.js';

/** Threads along columns, each of which has four, and along rows, each of which has one. */
const COLUMN_THREADS = 16;
const ROW_THREADS = 16;
export const TILE: Pair = [ROW_THREADS, COLUMN_THREADS * 4];

/** Columns of a kernel that are written out together, at most. */
const MOST_TOGETHER = 8;

export interface ConvolutionSpec {
  readonly source: MapSource;
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  /** The map has its values as far apart as this, and zeros between them: strides of the convolution whose gradient this is. */
  readonly gaps: Pair;
  /** Channels of a group. */
  readonly inGroup: number;
  readonly outGroup: number;
  readonly bias: boolean;
  /** Whether columns are stored in vec4s. */
  readonly vectors: boolean;
}

/** Output channels that a thread computes. */
export const channelsTogether = (outGroup: number) => [1, 4, 8].find((channels) => channels >= outGroup) ?? 16;

interface ArrangeSpec {
  readonly kernel: Pair;
  readonly inGroup: number;
  readonly outGroup: number;
  /** For the gradient of the map, which is the convolution with the kernel turned round, and in and out exchanged. */
  readonly turned: boolean;
}

/** The weight as [groups, blocks of output channels, input channels, rows, columns, channels of the block], with zeros for none. */
export const arrangeProgram = defineProgram('multiTokenAttentionArrange', (spec: ArrangeSpec) => {
  const { kernel, inGroup, outGroup, turned } = spec;
  const taps = kernel[0] * kernel[1];
  const together = channelsTogether(outGroup);
  const blocks = Math.ceil(outGroup / together);
  const at = turned
    ? `((group * ${inGroup}u + inner) * ${outGroup}u + outer) * ${taps}u + ${taps - 1}u - tap`
    : `((group * ${outGroup}u + outer) * ${inGroup}u + inner) * ${taps}u + tap`;
  return {
    workgroupSize: 64,
    reads: { weight: 'f32' },
    writes: { arranged: 'f32' },
    uniforms: { count: 'u32' },
    body: `
  let index = workgroup * 64u + thread;
  if (index >= u.count) { return; }
  let tap = index / ${together}u % ${taps}u;
  let inner = index / ${together * taps}u % ${inGroup}u;
  let block = index / ${together * taps * inGroup}u % ${blocks}u;
  let group = index / ${together * taps * inGroup * blocks}u;
  let outer = block * ${together}u + index % ${together}u;
  arranged[index] = select(0.0, weight[${at}], outer < ${outGroup}u);`,
  };
});

/**
 * y [B, O, rows, columns] = mask(conv2d(map [B, C, …], weight) + bias). A thread has four columns of a row, of several output
 * channels; what a row of the kernel meets is read, and made into weights, once for all of those.
 */
export const convolutionProgram = defineProgram('multiTokenAttentionConvolution', (spec: ConvolutionSpec) => {
  const { source, kernel, strides, dilations, gaps, inGroup, outGroup, bias, vectors } = spec;
  const together = channelsTogether(outGroup);
  const blocks = Math.ceil(outGroup / together);
  const inVectors = together % 4 === 0;
  const unit = inVectors ? 4 : 1;
  const [kernelRows, kernelColumns] = kernel;
  const taps = kernelRows * kernelColumns;

  /** Some columns of the kernel, from `first` on, in WGSL. */
  const convolve = (first: string, count: number) => {
    const offsetOf = (column: number, tap: number) => column * strides[1] + tap * dilations[1];
    const offsets = new Set(times4((column) => range(count).map((tap) => offsetOf(column, tap))).flat());
    const place = (offset: number) => `firstColumn + ${offset} + i32(${first}) * ${dilations[1]}`;
    const value = (offset: number) => {
      if (gaps[1] === 1) return `mapValue(start, ${place(offset)}, last, top, other)`;
      const between = `(${place(offset)}) % ${gaps[1]} != 0`;
      return `select(mapValue(start, (${place(offset)}) / ${gaps[1]}, last, top, other), 0.0, (${between}) | (${place(offset)} < 0))`;
    };
    return `{
      ${[...offsets].map((offset) => `let p${offset} = ${value(offset)};`).join('\n')}
      ${range(count)
        .map(
          (tap) => `{
        let at = (weightRow + ${first} + ${tap}u) * ${together / unit}u;
        let p = vec4f(${times4((column) => `p${offsetOf(column, tap)}`).join(', ')});
        ${times(together / unit, (i) => `let w${i} = arranged[at + ${i}u];`)}
        ${times(together, (o) => `sum${o} = fma(vec4f(${inVectors ? `w${o >> 2}.${'xyzw'[o & 3]}` : `w${o}`}), p, sum${o});`)}
      }`,
        )
        .join('\n')}
    }`;
  };
  const whole = Math.floor(kernelColumns / MOST_TOGETHER) * MOST_TOGETHER;
  const rest = kernelColumns - whole;

  return {
    workgroupSize: COLUMN_THREADS * ROW_THREADS,
    reads: { ...mapReads(source), arranged: inVectors ? 'vec4f' : 'f32', ...(bias && { bias: 'f32' }) },
    writes: { y: vectors ? 'vec4f' : 'f32' },
    uniforms: convolutionUniforms,
    declarations: mapValue(source),
    body: `
  let tileColumns = (u.outColumns + ${TILE[1] - 1}u) / ${TILE[1]}u;
  let tileRows = (u.outRows + ${TILE[0] - 1}u) / ${TILE[0]}u;
  let tileColumn = workgroup % tileColumns;
  // The longest rows come first, so that all end together.
  let tileRow = tileRows - 1u - workgroup / tileColumns % tileRows;
  let block = workgroup / (tileColumns * tileRows) % ${blocks}u;
  let group = workgroup / (tileColumns * tileRows * ${blocks}u) % u.groups;
  let batch = workgroup / (tileColumns * tileRows * ${blocks}u * u.groups);
  let row = tileRow * ${TILE[0]}u + thread / ${COLUMN_THREADS}u;
  let column = tileColumn * ${TILE[1]}u + thread % ${COLUMN_THREADS}u * 4u;
  if ((row >= u.outRows) | (column >= u.outColumns)) { return; }
  let firstColumn = i32(column) * ${strides[1]} - u.paddingColumns;
  ${times(together, (o) => `var sum${o} = vec4f();`)}
  if (column <= row) {
    for (var channel = 0u; channel < ${inGroup}u; channel++) {
      let mapNumber = (batch * u.groups + group) * ${inGroup}u + channel;
      for (var kernelRow = 0u; kernelRow < ${kernelRows}u; kernelRow++) {
        let place = i32(row * ${strides[0]}u + kernelRow * ${dilations[0]}u) - u.paddingRows;
        ${gaps[0] === 1 ? 'let mapRow = place;' : `let mapRow = select(place / ${gaps[0]}, -1, place % ${gaps[0]} != 0);`}
        if ((place < 0) | (mapRow < 0) | (mapRow >= i32(u.inRows))) { continue; }
        ${mapRow(source, '(mapNumber * u.inRows + u32(mapRow))', 'mapRow')}
        let weightRow = ((group * ${blocks}u + block) * ${inGroup}u + channel) * ${taps}u + kernelRow * ${kernelColumns}u;
        ${whole > MOST_TOGETHER ? `for (var first = 0u; first < ${whole}u; first += ${MOST_TOGETHER}u) ${convolve('first', MOST_TOGETHER)}` : whole > 0 ? convolve('0u', whole) : ''}
        ${rest > 0 ? convolve(`${whole}u`, rest) : ''}
      }
    }
  }
  ${times(
    together,
    (o) => `{
    let channel = block * ${together}u + ${o}u;
    if (channel < ${outGroup}u) {
      let outChannel = group * ${outGroup}u + channel;
      let value = sum${o}${bias ? ' + vec4f(bias[outChannel])' : ''};
      let seen = select(vec4f(), value, vec4u(column) + vec4u(0u, 1u, 2u, 3u) <= vec4u(row));
      let at = ((batch * u.groups * ${outGroup}u + outChannel) * u.outRows + row) * u.outColumns + column;
      ${
        vectors
          ? 'y[at / 4u] = seen;'
          : times(4, (i) => `if (column + ${i}u < u.outColumns) { y[at + ${i}u] = seen.${'xyzw'[i]}; }`)
      }
    }
  }`,
  )}`,
  };
});

const times4 = <T>(make: (i: number) => T) => [0, 1, 2, 3].map(make);
