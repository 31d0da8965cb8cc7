import type { Pair } from '../../contracts/multi_token_attention.js';
import { defineProgram } from '../runtime/program.js';
import { powerOfTwo, range, times } from '../wgsl/elements.js';
import { rowReduction, workgroupReduction } from '../wgsl/reduction.js';
import { convolutionUniforms, type MapSource, mapReads, mapRow, mapValue } from './map.js';

export interface WeightGradientSpec {
  readonly source: MapSource;
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  /** Channels of a group. */
  readonly inGroup: number;
  readonly outGroup: number;
}

const MOST_THREADS = 128;
/** Threads that share the same sums, each with some of the places. */
const MOST_SHARES = 16;
const MOST_PAIRS = 64;
/** What a tile of a row may be longer than what is multiplied. */
const MOST_BEYOND = 15;

/**
 * How a workgroup is laid out. A thread sums for `together` output channels and `taps` columns of a row of the kernel; such a row
 * of one input channel, from one of its columns on, is a strip.
 */
export function weightGradientLayout({ kernel, strides, dilations, inGroup, outGroup }: WeightGradientSpec) {
  const together = [1, 4].find((channels) => channels >= outGroup) ?? 8;
  // Columns that are apart have a strip each.
  const most = strides[1] === 1 ? Math.min(8, 1 + Math.floor(MOST_BEYOND / dilations[1])) : 1;
  const strips = Math.ceil(kernel[1] / most);
  const taps = Math.ceil(kernel[1] / strips);
  const pairs = inGroup * kernel[0] * strips;
  const outThreads = Math.min(4, powerOfTwo(Math.ceil(outGroup / together)));
  const stripThreads = Math.min(powerOfTwo(pairs), MOST_PAIRS, MOST_THREADS / outThreads);
  const shares = Math.min(MOST_SHARES, MOST_THREADS / (outThreads * stripThreads));
  return {
    together,
    strips,
    taps,
    pairs,
    outThreads,
    stripThreads,
    shares,
    threads: outThreads * stripThreads * shares,
    /** Columns of y in a tile. */
    columns: Math.max(32, 4 * shares),
    outBlocks: Math.ceil(outGroup / (together * outThreads)),
    stripBlocks: Math.ceil(pairs / stripThreads),
  };
}

/**
 * dweight = Σ dy · p over batches, rows and columns, in parts: workgroup i of `slices` leaves the sum over rows i, i + slices, …
 * in a row of its own. Tiles of a row of dy, and of the rows of p that its strips meet, lie in workgroup memory.
 */
export const weightGradientProgram = defineProgram('multiTokenAttentionWeightGrad', (spec: WeightGradientSpec, gpu) => {
  const { source, kernel, strides, dilations, inGroup, outGroup } = spec;
  const layout = weightGradientLayout(spec);
  const { together, strips, taps, pairs, outThreads, stripThreads, shares, threads, columns } = layout;
  const [kernelRows, kernelColumns] = kernel;
  const inVectors = together % 4 === 0;
  const type = inVectors ? 'vec4f' : 'f32';
  const quads = inVectors ? together / 4 : 1;
  const step = strides[1] === 1 ? dilations[1] : 0;
  const stripLength = columns + (taps - 1) * step;
  const channels = outThreads * together;
  const components = inVectors ? ['.x', '.y', '.z', '.w'] : [''];

  const stageDy = `
    for (var i = thread; i < ${columns * outThreads * quads}u; i += ${threads}u) {
      let column = tile + i / ${outThreads * quads}u;
      let channel = outBlock * ${channels}u + i % ${outThreads * quads}u * ${components.length}u;
      let start = ((batch * u.groups + group) * ${outGroup}u + channel) * u.outRows * u.outColumns + row * u.outColumns + column;
      var value = ${type}();
      if (column < end) {
        ${components
          .map(
            (component, i) =>
              `if (channel + ${i}u < ${outGroup}u) { value${component} = dy[start + ${i}u * u.outRows * u.outColumns]; }`,
          )
          .join('\n')}
      }
      dyTile[i] = value;
    }`;
  const stageStrips = `
    for (var i = thread; i < ${stripThreads * stripLength}u; i += ${threads}u) {
      let pair = min(stripBlock * ${stripThreads}u + i / ${stripLength}u, ${pairs - 1}u);
      let strip = pair % ${strips}u;
      let kernelRow = pair / ${strips}u % ${kernelRows}u;
      let mapNumber = (batch * u.groups + group) * ${inGroup}u + pair / ${strips * kernelRows}u;
      let inMap = i32(row * ${strides[0]}u + kernelRow * ${dilations[0]}u) - u.paddingRows;
      let column = i32((tile + i % ${stripLength}u) * ${strides[1]}u + strip * ${taps * dilations[1]}u) - u.paddingColumns;
      var value = 0.0;
      if ((inMap >= 0) & (inMap < i32(u.inRows))) {
        ${mapRow(source, '(mapNumber * u.inRows + u32(inMap))', 'inMap')}
        value = mapValue(start, column, last, top, other);
      }
      stripTile[i] = value;
    }`;
  const sum = (tap: number, quad: number) => `sum${tap}_${quad}`;
  const eachSum = (text: (tap: number, quad: number) => string) =>
    times(taps, (tap) => times(quads, (quad) => text(tap, quad)));
  const reaches = [...new Set(range(4).flatMap((i) => range(taps).map((tap) => i + tap * step)))];
  const multiply = `
    for (var at = share * 4u; at < ${columns}u; at += ${shares * 4}u) {
      ${reaches.map((reach) => `let p${reach} = stripTile[stripThread * ${stripLength}u + at + ${reach}u];`).join('\n')}
      ${times(
        4,
        (i) => `{
        ${times(quads, (quad) => `let dy${quad} = dyTile[((at + ${i}u) * ${outThreads}u + outThread) * ${quads}u + ${quad}u];`)}
        ${eachSum((tap, quad) => `${sum(tap, quad)} = fma(dy${quad}, ${type}(p${i + tap * step}), ${sum(tap, quad)});`)}
      }`,
      )}
    }`;

  return {
    workgroupSize: threads,
    reads: { ...mapReads(source), dy: 'f32' },
    writes: { parts: 'f32' },
    uniforms: {
      ...convolutionUniforms,
      /** Rows of y of all batches. */
      rows: 'u32',
      slices: 'u32',
    },
    declarations: `
${mapValue(source)}
var<workgroup> dyTile: array<${type}, ${columns * outThreads * quads}>;
var<workgroup> stripTile: array<f32, ${stripThreads * stripLength}>;
${rowReduction(gpu, threads, shares, 'sumOfShares', { type })}`,
    body: `
  let stripBlock = workgroup % ${layout.stripBlocks}u;
  let outBlock = workgroup / ${layout.stripBlocks}u % ${layout.outBlocks}u;
  let group = workgroup / ${layout.stripBlocks * layout.outBlocks}u % u.groups;
  let slice = workgroup / (${layout.stripBlocks * layout.outBlocks}u * u.groups);
  let share = thread % ${shares}u;
  let outThread = thread / ${shares}u % ${outThreads}u;
  let stripThread = thread / ${shares * outThreads}u;
  ${eachSum((tap, quad) => `var ${sum(tap, quad)} = ${type}();`)}
  for (var number = slice; number < u.rows; number += u.slices) {
    let batch = number / u.outRows;
    let row = number % u.outRows;
    let end = min(row + 1u, u.outColumns);
    for (var tile = 0u; tile < end; tile += ${columns}u) {
      workgroupBarrier();
      ${stageDy}
      ${stageStrips}
      workgroupBarrier();
      ${multiply}
    }
  }
  ${eachSum((tap, quad) => `${sum(tap, quad)} = sumOfShares(${sum(tap, quad)});`)}
  let pair = stripBlock * ${stripThreads}u + stripThread;
  if (share == 0u && pair < ${pairs}u) {
    let firstTap = pair % ${strips}u * ${taps}u;
    ${eachSum((tap, quad) =>
      components
        .map((component, i) => {
          const channel = `(outBlock * ${channels}u + outThread * ${together}u + ${quad * 4 + i}u)`;
          return `if (${channel} < ${outGroup}u && firstTap + ${tap}u < ${kernelColumns}u) {
      let kernelNumber = (slice * u.groups * ${outGroup}u + group * ${outGroup}u + ${channel}) * ${inGroup}u;
      parts[(kernelNumber * ${kernelRows}u + pair / ${strips}u) * ${kernelColumns}u + firstTap + ${tap}u] = ${sum(tap, quad)}${component};
    }`;
        })
        .join('\n'),
    )}
  }`,
  };
});

const BIAS_THREADS = 256;

/** dbias [slices, O] = Σ dy up to the diagonal, over rows i, i + slices, … of all batches. */
export const biasGradientProgram = defineProgram('multiTokenAttentionBiasGrad', (_: object, gpu) => ({
  workgroupSize: BIAS_THREADS,
  reads: { dy: 'f32' },
  writes: { parts: 'f32' },
  uniforms: { outChannels: 'u32', outRows: 'u32', outColumns: 'u32', rows: 'u32', slices: 'u32' },
  declarations: workgroupReduction(gpu, BIAS_THREADS, 'sumOfAll'),
  body: `
  let channel = workgroup % u.outChannels;
  let slice = workgroup / u.outChannels;
  var sum = 0.0;
  for (var number = slice; number < u.rows; number += u.slices) {
    let row = number % u.outRows;
    let start = ((number / u.outRows * u.outChannels + channel) * u.outRows + row) * u.outColumns;
    for (var column = thread; column <= min(row, u.outColumns - 1u); column += ${BIAS_THREADS}u) {
      sum += dy[start + column];
    }
  }
  let total = sumOfAll(sum);
  if (thread == 0u) { parts[workgroup] = total; }`,
}));
