import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { CrossEntropyAttrs } from '../kernel_names.js';
import { wgslFunction } from './runtime/activations.js';
import { type ElementType, LOWEST } from './runtime/elements.js';
import type { Gpu } from './runtime/gpu.js';
import { type DeviceTraits, defineProgram, type Program } from './runtime/program.js';
import { workgroupReduction } from './runtime/reduction.js';
import { Row } from './runtime/row.js';

/** What is fixed of a cross entropy: the part of its attributes that its programs are compiled for. */
interface CrossEntropySpec {
  readonly vocabulary: number;
  /** Floats from one row of logits to the next: the vocabulary, or more where rows are padded. */
  readonly stride: number;
  readonly weighted: boolean;
  readonly smoothed: boolean;
  readonly softcapped: boolean;
  readonly tokenScaled: boolean;
}

/** One cross entropy over some rows, whose logits may come in several chunks. */
export interface CrossEntropyRows {
  readonly rows: number;
  readonly vocabulary: number;
  readonly stride: number;
  readonly labels: TensorInfo;
  readonly weight?: TensorInfo;
  readonly attrs: CrossEntropyAttrs;
  readonly tokenScaled: boolean;
}

/** A row of logits as a workgroup walks it, and what is specific to logits. */
function logitsRow({ vocabulary, stride, softcapped, weighted }: CrossEntropySpec, gpu: DeviceTraits) {
  const row = new Row(gpu, vocabulary, { stride, streamed: true });
  const { type } = row;
  const fours = (name: string, at: string) =>
    `vec4f(${[0, 1, 2, 3].map((q) => `${name}[${at} * 4u + ${q}u]`).join(', ')})`;
  const weightType: ElementType = row.padded ? 'f32' : type;
  const component = (name: string, elementType: ElementType, c: string, base = '') =>
    elementType === 'f32' ? `${name}[${base}${c}]` : `${name}[${base}${c} / 4u][${c} % 4u]`;
  return {
    row,
    weightType,
    declarations: softcapped ? wgslFunction('tanh', type) : '',
    capped: (logit: string) => (softcapped ? `u.softcap * exactTanh(${logit} / u.softcap)` : logit),
    /** The logit of class `c`. */
    logitOf: (c: string) => component('logits', type, c, 'base + '),
    /** The weight of class `c`. */
    weightOf: (c: string) => component('weight', weightType, c),
    /** The weights of the classes at `at`. */
    weightsAt: (at: string) => {
      if (!weighted) return `${type}(1.0)`;
      return row.padded ? fours('weight', at) : `weight[${at}]`;
    },
  };
}

/** stats = [what the loss is divided by, what the z-loss is divided by, labels that count, Σ weight]; see kernel_names. */
const statsProgram = defineProgram(
  'crossEntropyStats',
  ({ weighted, vocabulary }: { weighted: boolean; vocabulary: number }, gpu) => ({
    workgroupSize: 256,
    reads: { labels: 'i32', ...(weighted && { weight: 'f32' as const }) },
    writes: { stats: 'f32' },
    uniforms: { rows: 'u32', ignoreIndex: 'i32', isMean: 'u32', numItemsInBatch: 'f32' },
    declarations: workgroupReduction(gpu, 256, 'workgroupSum', { type: 'vec4f' }),
    body: `
  var sums = vec4f();
  for (var row = thread; row < u.rows; row += 256u) {
    let label = labels[row];
    if (label != u.ignoreIndex) { sums += vec4f(1.0, ${weighted ? 'weight[label]' : '1.0'}, 0.0, 0.0); }
  }
  ${weighted ? `for (var c = thread; c < ${vocabulary}u; c += 256u) { sums.z += weight[c]; }` : ''}
  let total = workgroupSum(sums);
  if (thread == 0u) {
    var divisors = vec2f(1.0);
    if (u.isMean == 1u) { divisors = total.yx; }
    if (u.numItemsInBatch > 0.0) { divisors = vec2f(u.numItemsInBatch); }
    // Where no label counts every sum is 0, and stays so.
    divisors = select(divisors, vec2f(1.0), divisors == vec2f());
    stats[0] = divisors.x; stats[1] = divisors.y; stats[2] = max(total.x, 1.0); stats[3] = total.z;
  }`,
  }),
);

/** Each row's loss (divided already) and log-sum-exp; reads the logits once. */
const rowsProgram = defineProgram('crossEntropyRows', (spec: CrossEntropySpec & { predicted: boolean }, gpu) => {
  const { weighted, smoothed, predicted, tokenScaled } = spec;
  const { row, weightType, declarations, capped, logitOf, weightOf, weightsAt } = logitsRow(spec, gpu);
  const bits = row.type === 'f32' ? 'u32' : 'vec4u';
  const sum = smoothed ? workgroupReduction(gpu, row.workgroupSize, 'workgroupSum2', { type: 'vec2f' }) : '';
  return {
    workgroupSize: row.workgroupSize,
    reads: {
      logits: row.type,
      labels: 'i32',
      stats: 'f32',
      ...(weighted && { weight: weightType }),
    },
    writes: {
      loss: 'f32',
      lse: 'f32',
      ...(predicted && { predictedTokens: 'i32' as const }),
      ...(tokenScaled && { tokenScale: 'f32' as const }),
    },
    uniforms: {
      firstRow: 'u32',
      ignoreIndex: 'i32',
      labelSmoothing: 'f32',
      lseSquareScale: 'f32',
      softcap: 'f32',
      nan: 'f32',
    },
    declarations: `
${workgroupReduction(gpu, row.workgroupSize, 'workgroupSum')}
${workgroupReduction(gpu, row.workgroupSize, 'workgroupMax', { op: 'max' })}
${sum}
${declarations}`,
    body: `
  let index = u.firstRow + workgroup;
  let label = labels[index];
  if (label == u.ignoreIndex) {
    if (thread == 0u) {
      loss[index] = 0.0; lse[index] = 0.0;
      ${predicted ? 'predictedTokens[index] = -1;' : ''} ${tokenScaled ? 'tokenScale[index] = 0.0;' : ''}
    }
    return;
  }
  let base = workgroup * ${row.stride}u;
  var maximum = ${LOWEST};
  var exponentials = 0.0;
  var bits = ${bits}();
  ${smoothed ? 'var spread = vec2f();' : ''}
  ${predicted ? `var best = ${LOWEST}; var bestAt = 0u;` : ''}
  ${row.pass(
    { logit: 'logits[base + @]' },
    ({ logit }, at) => `
    let capped = ${capped(logit)};
    let x = ${row.inside('capped', LOWEST, at)};
    let largest = ${row.max('x')};
    ${predicted ? `if (largest > best) { best = largest; bestAt = ${at}; }` : ''}
    let next = max(maximum, largest);
    exponentials = exponentials * exp(maximum - next) + ${row.sum('exp(x - next)')};
    maximum = next;
    bits = max(bits, bitcast<${bits}>(x) & ${bits}(0x7fffffffu));
    ${
      smoothed
        ? `let w = ${row.inside(weightsAt(at), '0.0', at)};
    spread += vec2f(${row.sum(row.inside('w * capped', '0.0', at))}, ${row.sum('w')});`
        : ''
    }`,
  )}
  // Built-ins may lose a NaN, so it is found by its bits, here and after the sum; ∞ − ∞ is one too.
  if (any(bits > ${bits}(0x7f800000u)) || maximum > -(${LOWEST})) { exponentials = u.nan; }
  let m = workgroupMax(maximum);
  let total = workgroupSum(exponentials * exp(maximum - m));
  let isNan = (bitcast<u32>(total) & 0x7fffffffu) > 0x7f800000u;
  let logSumExp = select(m + log(total), u.nan, isNan);
  ${smoothed ? 'let spreads = workgroupSum2(spread);' : ''}
  ${
    predicted
      ? `
  var first = ${LOWEST};
  if (best == m) {
    let x = ${row.inside(capped('logits[base + bestAt]'), LOWEST, 'bestAt')};
    ${row.type === 'f32' ? 'let place = bestAt;' : 'let place = bestAt * 4u + select(select(select(3u, 2u, x.z == m), 1u, x.y == m), 0u, x.x == m);'}
    first = -f32(place);
  }
  let token = i32(-workgroupMax(first));`
      : ''
  }
  if (thread == 0u) {
    let inRange = label >= 0 && label < ${spec.vocabulary};
    let c = u32(clamp(label, 0, ${spec.vocabulary - 1}));
    let logit = ${logitOf('c')};
    let x = ${spec.softcapped ? `u.softcap * exactTanh(${row.type}(logit) / u.softcap)${row.type === 'f32' ? '' : '.x'}` : 'logit'};
    var value = (logSumExp - x)${weighted ? ` * ${weightOf('c')}` : ''};
    ${
      smoothed
        ? `value = (1.0 - u.labelSmoothing) * value
      + u.labelSmoothing / ${spec.vocabulary}.0 * (logSumExp * spreads.y - spreads.x);`
        : ''
    }
    var result = value / stats[0] + u.lseSquareScale * logSumExp * logSumExp / stats[1];
    ${tokenScaled ? 'let scale = exp(x - logSumExp); tokenScale[index] = scale; result *= scale;' : ''}
    loss[index] = select(u.nan, result, inRange);
    lse[index] = select(u.nan, logSumExp, inRange);
    ${predicted ? 'predictedTokens[index] = token;' : ''}
  }`,
  };
});

/**
 * dlogits = (a · p − smoothing − [c = label] · hit) · softcap' with p = e^(x − lse): every factor that is one number a row
 * is taken out of the loop. With `inPlace` dlogits holds the logits.
 */
const gradProgram = defineProgram(
  'crossEntropyGrad',
  (spec: CrossEntropySpec & { inPlace: boolean; dy: 'one' | 'scalar' | 'rows' }, gpu) => {
    const { weighted, smoothed, softcapped, tokenScaled, inPlace, dy } = spec;
    const { row, weightType, declarations, capped, weightOf, weightsAt } = logitsRow(spec, gpu);
    const upstream = { one: '1.0', scalar: 'dy[0]', rows: 'dy[index]' }[dy];
    return {
      workgroupSize: row.workgroupSize,
      reads: {
        ...(!inPlace && { logits: row.type }),
        labels: 'i32',
        lse: 'f32',
        stats: 'f32',
        ...(dy !== 'one' && { dy: 'f32' as const }),
        ...(weighted && { weight: weightType }),
        ...(tokenScaled && { tokenScale: 'f32' as const }),
      },
      writes: { dlogits: row.type },
      uniforms: { firstRow: 'u32', ignoreIndex: 'i32', labelSmoothing: 'f32', lseSquareScale: 'f32', softcap: 'f32' },
      declarations,
      body: `
  let index = u.firstRow + workgroup;
  let label = labels[index];
  let base = workgroup * ${row.stride}u;
  if (label == u.ignoreIndex) {
    ${row.pass({}, (_, at) => `dlogits[base + ${at}] = ${row.type}();`)}
    return;
  }
  let c = u32(clamp(label, 0, ${spec.vocabulary - 1}));
  let scale = ${upstream}${tokenScaled ? ' * tokenScale[index]' : ''};
  let share = scale / stats[0];
  let logSumExp = lse[index];
  let hit = (1.0 - u.labelSmoothing) * share${weighted ? ` * ${weightOf('c')}` : ''};
  let smoothing = u.labelSmoothing / ${spec.vocabulary}.0 * share;
  let a = hit + ${smoothed ? `smoothing * ${weighted ? 'stats[3]' : `${spec.vocabulary}.0`}` : '0.0'}
    + 2.0 * u.lseSquareScale * logSumExp * scale / stats[1];
  ${row.pass(
    { logit: `${inPlace ? 'dlogits' : 'logits'}[base + @]` },
    ({ logit }, at) => `
    let x = ${capped(logit)};
    var d = a * exp(x - logSumExp)
      - select(${row.type}(), ${row.type}(hit), ${row.columns(at)} == ${row.type === 'f32' ? 'c' : 'vec4u(c)'});
    ${smoothed ? `d -= smoothing * ${weightsAt(at)};` : ''}
    ${softcapped ? 'let t = x / u.softcap; d *= 1.0 - t * t;' : ''}
    dlogits[base + ${at}] = ${row.inside('d', '0.0', at)};`,
  )}`,
    };
  },
);

/** loss, zLoss or tokenAccuracy over all rows; for the reduction 'none' the last two of each row. */
const totalProgram = defineProgram(
  'crossEntropyTotal',
  (spec: { quantity: 'loss' | 'zLoss' | 'tokenAccuracy'; perRow: boolean; tokenScaled: boolean }, gpu) => {
    const { quantity, perRow, tokenScaled } = spec;
    const reads: Record<typeof quantity, Program['reads']> = {
      loss: { values: 'f32' },
      zLoss: { values: 'f32', labels: 'i32', stats: 'f32', ...(tokenScaled && { tokenScale: 'f32' as const }) },
      tokenAccuracy: { values: 'i32', labels: 'i32', stats: 'f32' },
    };
    const z = `u.lseSquareScale * values[row] * values[row] / stats[1]${tokenScaled ? ' * tokenScale[row]' : ''}`;
    const value = {
      loss: 'values[row]',
      zLoss: `select(${z}, 0.0, labels[row] == u.ignoreIndex)`,
      tokenAccuracy: 'select(0.0, 1.0, values[row] == labels[row] && labels[row] != u.ignoreIndex)',
    }[quantity];
    return {
      workgroupSize: 256,
      reads: reads[quantity],
      writes: { total: 'f32' },
      uniforms: { rows: 'u32', ignoreIndex: 'i32', lseSquareScale: 'f32' },
      declarations: workgroupReduction(gpu, 256, 'workgroupSum'),
      body: perRow
        ? `
  let row = workgroup * 256u + thread;
  if (row < u.rows) { total[row] = ${value}; }`
        : `
  var sum = 0.0;
  for (var row = thread; row < u.rows; row += 256u) { sum += ${value}; }
  let all = workgroupSum(sum)${quantity === 'tokenAccuracy' ? ' / stats[2]' : ''};
  if (thread == 0u) { total[0] = all; }`,
    };
  },
);

function specOf({ vocabulary, stride, weight, attrs, tokenScaled }: CrossEntropyRows): CrossEntropySpec {
  return {
    vocabulary,
    stride,
    weighted: weight !== undefined,
    smoothed: attrs.labelSmoothing > 0,
    softcapped: attrs.softcap > 0,
    tokenScaled,
  };
}

/** The tensors of all rows that `crossEntropyLoss` fills, chunk by chunk. */
export interface CrossEntropyResults {
  readonly stats: TensorInfo;
  readonly loss: TensorInfo;
  readonly lse: TensorInfo;
  readonly predictedTokens?: TensorInfo;
  readonly tokenScale?: TensorInfo;
}

/** Records the sums that every row's loss and gradient are divided by, [4]. */
function crossEntropyStats(gpu: Gpu, { rows, vocabulary, labels, weight, attrs }: CrossEntropyRows): TensorInfo {
  const stats = gpu.output([4]);
  const { ignoreIndex, reduction, numItemsInBatch } = attrs;
  const uniforms = { rows, ignoreIndex, isMean: reduction === 'mean' ? 1 : 0, numItemsInBatch };
  gpu.run(statsProgram, { weighted: weight !== undefined, vocabulary }, { labels, weight, stats }, uniforms, 1);
  return stats;
}

/** Records `stats`, and makes the tensors that `crossEntropyLoss` fills. */
export function crossEntropyResults(gpu: Gpu, call: CrossEntropyRows): CrossEntropyResults {
  const { shape } = call.labels;
  const { returnTokenAccuracy, returnPredictedTokens } = call.attrs;
  return {
    stats: crossEntropyStats(gpu, call),
    loss: gpu.output(shape),
    lse: gpu.output(shape),
    predictedTokens: returnTokenAccuracy || returnPredictedTokens ? gpu.output(shape, 'int32') : undefined,
    tokenScale: call.tokenScaled ? gpu.output(shape) : undefined,
  };
}

/** Records the losses of `count` rows from `firstRow` on, whose logits are given. */
export function crossEntropyLoss(
  gpu: Gpu,
  call: CrossEntropyRows,
  results: CrossEntropyResults,
  logits: TensorInfo,
  firstRow = 0,
  count = call.rows,
): void {
  const { labels, weight, attrs } = call;
  const { ignoreIndex, labelSmoothing, lseSquareScale, softcap } = attrs;
  const spec = { ...specOf(call), predicted: results.predictedTokens !== undefined };
  const uniforms = { firstRow, ignoreIndex, labelSmoothing, lseSquareScale, softcap, nan: Number.NaN };
  gpu.run(rowsProgram, spec, { logits, labels, weight, ...results }, uniforms, count);
}

/** Records the gradient of the logits; in place when only `dlogits` is given, which holds them then. */
export function crossEntropyGradient(
  gpu: Gpu,
  call: CrossEntropyRows,
  { lse, stats, tokenScale }: Pick<CrossEntropyResults, 'lse' | 'stats' | 'tokenScale'>,
  { logits, dlogits, dy }: { logits?: TensorInfo; dlogits: TensorInfo; dy?: TensorInfo },
  firstRow = 0,
  count = call.rows,
): void {
  const { labels, weight, attrs } = call;
  const { ignoreIndex, labelSmoothing, lseSquareScale, softcap, reduction } = attrs;
  const upstream = dy ? (reduction === 'none' ? 'rows' : 'scalar') : 'one';
  const spec = { ...specOf(call), inPlace: logits === undefined, dy: upstream } as const;
  const uniforms = { firstRow, ignoreIndex, labelSmoothing, lseSquareScale, softcap };
  gpu.run(gradProgram, spec, { logits, labels, lse, stats, dy, weight, tokenScale, dlogits }, uniforms, count);
}

/**
 * Records what is returned of the rows' results, and gives back what only led to it: loss, then zLoss, tokenAccuracy and
 * predictedTokens as asked for.
 */
export function crossEntropyTotals(
  gpu: Gpu,
  call: CrossEntropyRows,
  { stats, loss, lse, predictedTokens, tokenScale }: CrossEntropyResults,
): TensorInfo[] {
  const { rows, labels, attrs, tokenScaled } = call;
  const { ignoreIndex, lseSquareScale, reduction } = attrs;
  const perRow = reduction === 'none';
  const total = (quantity: 'loss' | 'zLoss' | 'tokenAccuracy', values: TensorInfo) => {
    const result = gpu.output(perRow ? labels.shape : []);
    const workgroups = perRow ? Math.ceil(rows / 256) : 1;
    const tensors = { values, labels, stats, tokenScale, total: result };
    const spec = { quantity, perRow, tokenScaled: tokenScaled && quantity === 'zLoss' };
    gpu.run(totalProgram, spec, tensors, { rows, ignoreIndex, lseSquareScale }, workgroups);
    return result;
  };
  const results = [perRow ? loss : total('loss', loss)];
  if (attrs.returnZLoss) results.push(total('zLoss', lse));
  if (attrs.returnTokenAccuracy) results.push(total('tokenAccuracy', predictedTokens!));
  if (attrs.returnPredictedTokens) results.push(predictedTokens!);
  else gpu.release(predictedTokens);
  if (!perRow) gpu.release(loss);
  return results;
}
