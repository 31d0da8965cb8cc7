import type { TensorInfo } from '@tensorflow/tfjs-core';
import type {
  ScaledCrossEntropyAttrs,
  ScaledCrossEntropyGradAttrs,
  ScaledCrossEntropySlopes,
} from '../../contracts/scaled_cross_entropy.js';
import type { Tensors } from '../../contracts/shared/contract.js';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { LOWEST } from '../wgsl/elements.js';
import { Row } from '../wgsl/row.js';
import type { Chunk } from './chunked_linear.js';

interface RowsSpec {
  vocabulary: number;
  /** Floats from one row of logits to the next. */
  stride: number;
  hasEntropy: boolean;
}

/**
 * For each row of z = logits / temperature, reading it once: lse = log Σ exp(z), nll = lse − z of the label and entropy =
 * log Σ e − Σ e · (z − m) / Σ e, where e = exp(z − m) and m is the maximum; both sums follow the maximum that was seen so far.
 */
const rowsProgram = defineProgram('scaledCrossEntropyRows', ({ vocabulary, stride, hasEntropy }: RowsSpec, gpu) => {
  const row = new Row(gpu, vocabulary, { stride, streamed: true });
  const { type } = row;
  const bits = type === 'f32' ? 'u32' : 'vec4u';
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { logits: type, labels: 'i32' },
    writes: { nll: 'f32', lse: 'f32', ...(hasEntropy && { entropy: 'f32' as const }) },
    uniforms: { ...row.uniforms, firstRow: 'u32', ignoreIndex: 'i32', scale: 'f32', nan: 'f32' },
    declarations: `${row.reduction('rowSum', { type: 'vec2f' })}
${row.reduction('rowMax', { op: 'max' })}`,
    body: `
  ${row.begin()}
  let index = u.firstRow + row;
  let label = labels[index];
  ${row.skip(
    'label == u.ignoreIndex',
    `if (${row.isFirst}) { nll[index] = 0.0; lse[index] = 0.0; ${hasEntropy ? 'entropy[index] = 0.0;' : ''} }`,
  )}
  var maximum = ${LOWEST};
  var exponentials = 0.0;
  var spread = 0.0;
  var bits = ${bits}();
  ${row.pass(
    { logit: 'logits[base + @]' },
    ({ logit }, at) => `
    let scaled = ${logit} * u.scale;
    let z = ${row.inside('scaled', LOWEST, at)};
    let next = max(maximum, ${row.max('z')});
    let e = exp(z - next);
    let decay = exp(maximum - next);
    ${
      hasEntropy
        ? `// Where e is 0 the distance may be infinite.
    spread = (spread + select(exponentials * (maximum - next), 0.0, exponentials == 0.0)) * decay
      + ${row.sum(`select(e * (z - next), ${type}(), e == ${type}())`)};`
        : ''
    }
    exponentials = exponentials * decay + ${row.sum('e')};
    maximum = next;
    bits = max(bits, bitcast<${bits}>(z) & ${bits}(0x7fffffffu));`,
  )}
  // Built-ins may lose a NaN, so it is found by its bits, here and after the sum; ∞ − ∞ is one too.
  if (any(bits > ${bits}(0x7f800000u)) || maximum > -(${LOWEST})) { exponentials = u.nan; }
  let m = rowMax(maximum);
  let factor = exp(maximum - m);
  let moved = select(spread + exponentials * (maximum - m), 0.0, exponentials == 0.0);
  let totals = rowSum(vec2f(exponentials, moved) * factor);
  if (isWorked && ${row.isFirst}) {
    let isNan = (bitcast<u32>(totals.x) & 0x7fffffffu) > 0x7f800000u;
    let inRange = label >= 0 && label < ${vocabulary};
    let isNumber = inRange && !isNan;
    let c = u32(clamp(label, 0, ${vocabulary - 1}));
    let z = ${type === 'f32' ? 'logits[base + c]' : 'logits[base + c / 4u][c % 4u]'} * u.scale;
    let logTotal = log(totals.x);
    lse[index] = select(u.nan, m + logTotal, isNumber);
    // m and z are often alike, and their difference is exact then.
    nll[index] = select(u.nan, m - z + logTotal, isNumber);
    ${hasEntropy ? 'entropy[index] = select(u.nan, logTotal - totals.y / totals.x, isNumber);' : ''}
  }`,
  };
});

/**
 * dlogits = (dnll · (p − [c = label]) − dentropy · p · (log p + entropy)) / temperature, with log p = z − lse. With `inPlace`
 * dlogits holds the logits. Where p of the label is near 1, p − 1 would keep few digits: it is minus the sum of the others, which
 * the thread that has the label subtracts at last.
 */
const slopesProgram = defineProgram('scaledCrossEntropyGrad', (spec: RowsSpec & { inPlace: boolean }, gpu) => {
  const { vocabulary, stride, hasEntropy, inPlace } = spec;
  const row = new Row(gpu, vocabulary, { stride, streamed: true });
  const { type } = row;
  /** The element that holds the label. */
  const place = type === 'f32' ? 'c' : 'c / 4u';
  const isLabel = (at: string) => `${row.columnsAt(at)} == ${type === 'f32' ? 'c' : 'vec4u(c)'}`;
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: {
      ...(!inPlace && { logits: type }),
      ...{ labels: 'i32', lse: 'f32', dnll: 'f32' },
      ...(hasEntropy && { entropy: 'f32' as const, dentropy: 'f32' as const }),
    },
    writes: { dlogits: type },
    uniforms: { ...row.uniforms, firstRow: 'u32', ignoreIndex: 'i32', scale: 'f32' },
    declarations: row.reduction('rowSum'),
    body: `
  ${row.begin()}
  let index = u.firstRow + row;
  let label = labels[index];
  let isIgnored = label == u.ignoreIndex;
  let c = u32(clamp(label, 0, ${vocabulary - 1}));
  let logSumExp = lse[index];
  let hit = dnll[index] * u.scale;
  ${hasEntropy ? 'let slope = dentropy[index] * u.scale; let rowEntropy = entropy[index];' : ''}
  var sum = 0.0;
  var atLabel = ${type}();
  var hasLabel = false;
  ${row.pass(
    { logit: `${inPlace ? 'dlogits' : 'logits'}[base + @]` },
    ({ logit }, at) => `
    let logP = ${logit} * u.scale - logSumExp;
    let p = exp(logP);
    let others = select(p, ${type}(), ${isLabel(at)});
    var d = hit * others;
    ${hasEntropy ? `d -= slope * select(p * (logP + rowEntropy), ${type}(), p == ${type}());` : ''}
    dlogits[base + ${at}] = select(${row.inside('d', '0.0', at)}, ${type}(), isIgnored);
    let inside = ${row.inside('others', '0.0', at)};
    sum += ${row.sum('inside')};
    if (${at} == ${place}) { atLabel = d; hasLabel = !isIgnored; }`,
  )}
  let total = rowSum(sum);
  if (hasLabel) {
    let at = ${place};
    dlogits[base + at] = ${row.inside(`(atLabel - select(${type}(), ${type}(hit * total), ${isLabel('at')}))`, '0.0', 'at')};
  }`,
  };
});

/** Of all rows whose logits come, in one chunk or in several. */
export interface ScaledCrossEntropyRows {
  readonly vocabulary: number;
  readonly stride: number;
  readonly labels: TensorInfo;
  readonly attrs: ScaledCrossEntropyGradAttrs;
}

/** The tensors of all rows that `scaledCrossEntropyLoss` fills, chunk by chunk. */
export interface ScaledCrossEntropyResults {
  readonly nll: TensorInfo;
  readonly lse: TensorInfo;
  readonly entropy: TensorInfo | undefined;
}

export function scaledCrossEntropyResults(
  gpu: Gpu,
  { shape }: TensorInfo,
  { returnEntropy }: Pick<ScaledCrossEntropyAttrs, 'returnEntropy'>,
): ScaledCrossEntropyResults {
  return { nll: gpu.output(shape), lse: gpu.output(shape), entropy: returnEntropy ? gpu.output(shape) : undefined };
}

/** Records the results of a chunk's rows. */
export function scaledCrossEntropyLoss(
  gpu: Gpu,
  { vocabulary, stride, labels, attrs }: ScaledCrossEntropyRows,
  results: ScaledCrossEntropyResults,
  { logits, first, count }: Chunk,
): void {
  const spec = { vocabulary, stride, hasEntropy: results.entropy !== undefined };
  const uniforms = { firstRow: first, ignoreIndex: attrs.ignoreIndex, scale: 1 / attrs.temperature, nan: Number.NaN };
  gpu.run(rowsProgram, spec, { logits, labels, ...results }, uniforms, { rows: count });
}

/** Records the gradient of a chunk's logits, in their place unless `dlogits` is given. */
export function scaledCrossEntropyGradient(
  gpu: Gpu,
  { vocabulary, stride, labels, attrs }: ScaledCrossEntropyRows,
  slopes: Tensors<ScaledCrossEntropySlopes, TensorInfo>,
  { logits, first, count }: Chunk,
  dlogits?: TensorInfo,
): void {
  const spec = { vocabulary, stride, hasEntropy: slopes.entropy !== undefined, inPlace: dlogits === undefined };
  const tensors = { ...slopes, labels, logits, dlogits: dlogits ?? logits };
  const uniforms = { firstRow: first, ignoreIndex: attrs.ignoreIndex, scale: 1 / attrs.temperature };
  gpu.run(slopesProgram, spec, tensors, uniforms, { rows: count });
}
