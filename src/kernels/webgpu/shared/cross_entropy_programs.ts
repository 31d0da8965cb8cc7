import { type DeviceTraits, defineProgram, type Program } from '../runtime/program.js';
import { wgslFunction } from '../wgsl/activations.js';
import { type ElementType, LOWEST } from '../wgsl/elements.js';
import { workgroupReduction } from '../wgsl/reduction.js';
import { Row } from '../wgsl/row.js';

/** What is fixed of a cross entropy: the part of its attributes that its programs are compiled for. */
export interface CrossEntropySpec {
  readonly vocabulary: number;
  /** Floats from one row of logits to the next: the vocabulary, or more where rows are padded. */
  readonly stride: number;
  readonly weighted: boolean;
  readonly smoothed: boolean;
  readonly softcapped: boolean;
  readonly tokenScaled: boolean;
}

/** Where the numbers are that LigerCrossEntropy's `stats` holds. */
const STATS = {
  lossDivisor: 'stats[0]',
  zDivisor: 'stats[1]',
  /** Labels that are not ignored, or 1. */
  count: 'stats[2]',
  /** The sum of the classes' weights. */
  weightSum: 'stats[3]',
} as const;

/** What a row's loss and gradient are computed with. Labels and results are those of `firstRow` on. */
const ROW_UNIFORMS = {
  firstRow: 'u32',
  ignoreIndex: 'i32',
  labelSmoothing: 'f32',
  lseSquareScale: 'f32',
  softcap: 'f32',
} as const;

/** A row of logits, and WGSL for what is specific to logits. */
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

/** Rows that one workgroup sums up: many have their sums added by another one. */
export const ROWS_A_BLOCK = 2048;

/** WGSL of a loop over the rows of a workgroup's block; one workgroup alone takes all rows. */
const forEachRowOfBlock = (body: string) => `
  let height = select(${ROWS_A_BLOCK}u, u.rows, u.workgroups == 1u);
  let end = min(u.rows, (workgroup + 1u) * height);
  for (var row = workgroup * height + thread; row < end; row += 256u) { ${body} }`;

const labelSums = (weighted: boolean) =>
  forEachRowOfBlock(`
    let label = labels[row];
    if (label != u.ignoreIndex) { sums += vec4f(1.0, ${weighted ? 'weight[label]' : '1.0'}, 0.0, 0.0); }`);

/** For each block of rows, [labels that count, Σ of their classes' weights, 0, 0]. */
export const labelSumsProgram = defineProgram('crossEntropyLabelSums', ({ weighted }: { weighted: boolean }, gpu) => ({
  workgroupSize: 256,
  reads: { labels: 'i32', ...(weighted && { weight: 'f32' as const }) },
  writes: { blockSums: 'vec4f' },
  uniforms: { rows: 'u32', ignoreIndex: 'i32' },
  declarations: workgroupReduction(gpu, 256, 'workgroupSum', { type: 'vec4f' }),
  body: `
  var sums = vec4f();
  ${labelSums(weighted)}
  let total = workgroupSum(sums);
  if (thread == 0u) { blockSums[workgroup] = total; }`,
}));

interface StatsSpec {
  weighted: boolean;
  vocabulary: number;
  /** Whether there are several blocks of rows, whose sums are in `blockSums`. */
  hasBlocks: boolean;
}

/** What sums over the rows are divided by: with w the weight of a label's class, Σ w for the loss and the labels' count for z. */
export const statsProgram = defineProgram('crossEntropyStats', (spec: StatsSpec, gpu) => {
  const { weighted, vocabulary, hasBlocks } = spec;
  return {
    workgroupSize: 256,
    reads: {
      ...(hasBlocks ? { blockSums: 'vec4f' as const } : { labels: 'i32' as const }),
      ...(weighted && { weight: 'f32' as const }),
    },
    writes: { stats: 'f32' },
    uniforms: { rows: 'u32', blocks: 'u32', ignoreIndex: 'i32', isMean: 'u32', numItemsInBatch: 'f32' },
    declarations: workgroupReduction(gpu, 256, 'workgroupSum', { type: 'vec4f' }),
    body: `
  var sums = vec4f();
  ${
    hasBlocks
      ? 'for (var block = thread; block < u.blocks; block += 256u) { sums += blockSums[block]; }'
      : labelSums(weighted)
  }
  ${weighted ? `for (var c = thread; c < ${vocabulary}u; c += 256u) { sums.z += weight[c]; }` : ''}
  let total = workgroupSum(sums);
  if (thread == 0u) {
    var divisors = vec2f(1.0);
    if (u.isMean == 1u) { divisors = total.yx; }
    if (u.numItemsInBatch > 0.0) { divisors = vec2f(u.numItemsInBatch); }
    // Where no label counts every sum is 0, and stays so.
    divisors = select(divisors, vec2f(1.0), divisors == vec2f());
    ${STATS.lossDivisor} = divisors.x;
    ${STATS.zDivisor} = divisors.y;
    ${STATS.count} = max(total.x, 1.0);
    ${STATS.weightSum} = total.z;
  }`,
  };
});

/**
 * For each row with label c, reading the logits once: lse = log Σ exp(x), and of the loss
 * w_c · (lse − x_c) / lossDivisor + lseSquareScale · lse² / zDivisor, where label smoothing s mixes
 * s / V · Σ w · (lse − x) into the first term.
 */
export const rowsProgram = defineProgram('crossEntropyRows', (spec: CrossEntropySpec & { predicted: boolean }, gpu) => {
  const { weighted, smoothed, predicted, tokenScaled } = spec;
  const { row, weightType, declarations, capped, logitOf, weightOf, weightsAt } = logitsRow(spec, gpu);
  const bits = row.type === 'f32' ? 'u32' : 'vec4u';
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
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
    uniforms: { ...row.uniforms, ...ROW_UNIFORMS, nan: 'f32' },
    declarations: `
${row.reduction('rowSum')}
${row.reduction('rowMax', { op: 'max' })}
${smoothed ? row.reduction('rowSum2', { type: 'vec2f' }) : ''}
${declarations}`,
    body: `
  ${row.begin()}
  let index = u.firstRow + row;
  let label = labels[index];
  ${row.skip(
    'label == u.ignoreIndex',
    `if (${row.isFirst}) {
      loss[index] = 0.0; lse[index] = 0.0;
      ${predicted ? 'predictedTokens[index] = -1;' : ''} ${tokenScaled ? 'tokenScale[index] = 0.0;' : ''}
    }`,
  )}
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
  let m = rowMax(maximum);
  let total = rowSum(exponentials * exp(maximum - m));
  let isNan = (bitcast<u32>(total) & 0x7fffffffu) > 0x7f800000u;
  let logSumExp = select(m + log(total), u.nan, isNan);
  ${smoothed ? 'let spreads = rowSum2(spread);' : ''}
  ${
    predicted
      ? `
  var first = ${LOWEST};
  if (best == m) {
    let x = ${row.inside(capped('logits[base + bestAt]'), LOWEST, 'bestAt')};
    ${row.type === 'f32' ? 'let place = bestAt;' : 'let place = bestAt * 4u + select(select(select(3u, 2u, x.z == m), 1u, x.y == m), 0u, x.x == m);'}
    first = -f32(place);
  }
  let token = i32(-rowMax(first));`
      : ''
  }
  if (isWorked && ${row.isFirst}) {
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
    var result = value / ${STATS.lossDivisor} + u.lseSquareScale * logSumExp * logSumExp / ${STATS.zDivisor};
    ${tokenScaled ? 'let scale = exp(x - logSumExp); tokenScale[index] = scale; result *= scale;' : ''}
    loss[index] = select(u.nan, result, inRange);
    lse[index] = select(u.nan, logSumExp, inRange);
    ${predicted ? 'predictedTokens[index] = token;' : ''}
  }`,
  };
});

/**
 * dlogits = (a · p − smoothing · w − [c = label] · hit) · softcap' with p = e^(x − lse): every factor that is one number a row
 * is taken out of the loop. With `inPlace` dlogits holds the logits.
 */
export const gradProgram = defineProgram(
  'crossEntropyGrad',
  (spec: CrossEntropySpec & { inPlace: boolean; dy: 'one' | 'scalar' | 'rows' }, gpu) => {
    const { weighted, smoothed, softcapped, tokenScaled, inPlace, dy } = spec;
    const { row, weightType, declarations, capped, weightOf, weightsAt } = logitsRow(spec, gpu);
    const upstream = { one: '1.0', scalar: 'dy[0]', rows: 'dy[index]' }[dy];
    return {
      workgroupSize: row.workgroupSize,
      rowsPerWorkgroup: row.rowsPerWorkgroup,
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
      uniforms: { ...row.uniforms, ...ROW_UNIFORMS },
      declarations,
      body: `
  ${row.begin()}
  let index = u.firstRow + row;
  let label = labels[index];
  let isIgnored = label == u.ignoreIndex;
  let c = u32(clamp(label, 0, ${spec.vocabulary - 1}));
  let scale = ${upstream}${tokenScaled ? ' * tokenScale[index]' : ''};
  let share = scale / ${STATS.lossDivisor};
  let logSumExp = lse[index];
  let hit = (1.0 - u.labelSmoothing) * share${weighted ? ` * ${weightOf('c')}` : ''};
  let smoothing = u.labelSmoothing / ${spec.vocabulary}.0 * share;
  let a = hit + ${smoothed ? `smoothing * ${weighted ? STATS.weightSum : `${spec.vocabulary}.0`}` : '0.0'}
    + 2.0 * u.lseSquareScale * logSumExp * scale / ${STATS.zDivisor};
  ${row.pass(
    { logit: `${inPlace ? 'dlogits' : 'logits'}[base + @]` },
    ({ logit }, at) => `
    let x = ${capped(logit)};
    var d = a * exp(x - logSumExp)
      - select(${row.type}(), ${row.type}(hit), ${row.columnsAt(at)} == ${row.type === 'f32' ? 'c' : 'vec4u(c)'});
    ${smoothed ? `d -= smoothing * ${weightsAt(at)};` : ''}
    ${softcapped ? 'let t = x / u.softcap; d *= 1.0 - t * t;' : ''}
    dlogits[base + ${at}] = select(${row.inside('d', '0.0', at)}, ${row.type}(), isIgnored);`,
  )}`,
    };
  },
);

export type Quantity = 'loss' | 'zLoss' | 'tokenAccuracy';

interface TotalSpec {
  quantity: Quantity;
  /** Whether each row keeps its own: the reduction 'none'. */
  perRow: boolean;
  tokenScaled: boolean;
  /** Whether the sum is divided by the number of labels that count. */
  isShare: boolean;
}

/** Σ of a quantity over each block of rows. Sums of blocks are added as the loss is. */
export const totalProgram = defineProgram('crossEntropyTotal', (spec: TotalSpec, gpu) => {
  const { quantity, perRow, tokenScaled, isShare } = spec;
  const reads: Record<Quantity, Program['reads']> = {
    loss: { values: 'f32', ...(isShare && { stats: 'f32' as const }) },
    zLoss: { values: 'f32', labels: 'i32', stats: 'f32', ...(tokenScaled && { tokenScale: 'f32' as const }) },
    tokenAccuracy: { values: 'i32', labels: 'i32', ...(isShare && { stats: 'f32' as const }) },
  };
  const z = `u.lseSquareScale * values[row] * values[row] / ${STATS.zDivisor}${tokenScaled ? ' * tokenScale[row]' : ''}`;
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
  ${forEachRowOfBlock(`sum += ${value};`)}
  let all = workgroupSum(sum)${isShare ? ` / ${STATS.count}` : ''};
  if (thread == 0u) { total[workgroup] = all; }`,
  };
});
