import { SoftCrossEntropy, SoftCrossEntropyGrad } from '../contracts/soft_cross_entropy.js';
import { defineProgram, type StorageType } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { columnSum } from './shared/column_sum.js';
import { type ElementType, LOWEST } from './wgsl/elements.js';
import { asRows, Row } from './wgsl/row.js';
import { softmaxDeclarations, softmaxScale } from './wgsl/softmax.js';

interface RowsSpec {
  vocabulary: number;
  smoothed: boolean;
  hasMass: boolean;
  /** Whether the targets are integers, or booleans, which are converted as they are read. */
  integers: boolean;
}

/** The buffers' elements, and where a pass finds x and y. */
const targetType = (type: ElementType, { integers }: RowsSpec): StorageType => {
  if (!integers) return type;
  return type === 'f32' ? 'i32' : 'vec4i';
};
const sourcesOf = (type: ElementType, { integers }: RowsSpec, logits = 'logits') => ({
  x: `${logits}[base + @]`,
  target_: integers ? `${type}(targets[base + @])` : 'targets[base + @]',
});

/** WGSL of y, of an element of the targets. */
const mixed = (target: string, { smoothed, vocabulary }: RowsSpec) =>
  smoothed ? `${target} * (1.0 - u.labelSmoothing) + u.labelSmoothing / ${vocabulary}.0` : target;

/**
 * One pass finds the maximum m, Σ exp(x − m), Σ y · (m − x) and Σ y, which follow the maximum that was seen so far. The loss is
 * Σ y · (m − x) + Σ y · log Σ exp(x − m): lse − x, of numbers that may be large and alike, would lose digits.
 */
const rowsProgram = defineProgram('softCrossEntropy', (spec: RowsSpec, gpu) => {
  const row = new Row(gpu, spec.vocabulary, { streamed: true });
  const { type } = row;
  const sources = sourcesOf(type, spec);
  const bits = type === 'f32' ? 'u32' : 'vec4u';
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { logits: type, targets: targetType(type, spec) },
    writes: { losses: 'f32', lse: 'f32', ...(spec.hasMass && { masses: 'f32' as const }) },
    uniforms: { ...row.uniforms, scale: 'f32', nan: 'f32', ...(spec.smoothed && { labelSmoothing: 'f32' as const }) },
    declarations: `${row.reduction('rowMax', { op: 'max' })}
${row.reduction('rowSum', { type: 'vec4f' })}
// Where there is no mass the distance may be infinite.
fn moved(mass: f32, distance: f32) -> f32 { return select(mass * distance, 0.0, mass == 0.0); }`,
    body: `
  ${row.begin()}
  var top = ${LOWEST};
  var exponentials = 0.0;
  var cost = 0.0;
  var mass = 0.0;
  var bits = ${bits}();
  ${row.pass(
    sources,
    ({ x, target_ }) => `
    let y = ${mixed(target_, spec)};
    let next = max(top, ${row.max(x)});
    exponentials = exponentials * exp(top - next) + ${row.sum(`exp(${x} - next)`)};
    cost += moved(mass, next - top) + ${row.sum(`select(y * (next - ${x}), ${type}(), y == ${type}())`)};
    mass += ${row.sum('y')};
    top = next;
    bits = max(bits, bitcast<${bits}>(${x}) & ${bits}(0x7fffffffu));`,
  )}
  // Built-ins may lose a NaN, so it is found by its bits, here and after the sum; ∞ − ∞ is one too.
  if (any(bits > ${bits}(0x7f800000u)) || top > -(${LOWEST})) { exponentials = u.nan; }
  let m = rowMax(top);
  let totals = rowSum(vec4f(exponentials * exp(top - m), cost + moved(mass, m - top), mass, 0.0));
  if (${row.isFirst}) {
    // Where all logits are −∞ not even the maximum counts.
    let isNan = (bitcast<u32>(totals.x) & 0x7fffffffu) > 0x7f800000u || totals.x == 0.0;
    let logTotal = log(totals.x);
    losses[row] = select((totals.y + moved(totals.z, logTotal)) * u.scale, u.nan, isNan);
    lse[row] = select(m + logTotal, u.nan, isNan);
    ${spec.hasMass ? 'masses[row] = totals.z;' : ''}
  }`,
  };
});

/** WGSL of an element of y, and 0 where the cost −log p lies beyond epsilon's limits. */
const withinLimits = (y: string, cost: string, type: ElementType) =>
  `select(${type}(), ${y}, (${cost} >= ${type}(u.least)) & (${cost} <= ${type}(u.most)))`;

/** The uniforms of those limits. */
const limitsOf = (epsilon: number) => ({ least: -Math.log1p(-epsilon), most: -Math.log(epsilon) });

/**
 * As above where probabilities have limits: a pass for lse, and another for Σ y · clamp(lse − x), and Σ y of what lies within.
 */
const limitedRowsProgram = defineProgram('softCrossEntropyLimited', (spec: RowsSpec, gpu) => {
  const row = new Row(gpu, spec.vocabulary, { inputs: 2 });
  const { type } = row;
  const sources = sourcesOf(type, spec);
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { logits: type, targets: targetType(type, spec) },
    writes: { losses: 'f32', lse: 'f32', ...(spec.hasMass && { masses: 'f32' as const }) },
    uniforms: { ...row.uniforms, scale: 'f32', nan: 'f32', least: 'f32', most: 'f32', labelSmoothing: 'f32' },
    declarations: `${softmaxDeclarations(row)}
${row.reduction('sumOfCosts', { type: 'vec2f' })}`,
    body: `
  ${row.begin()}
  ${softmaxScale(row, sources)}
  let logTotal = -log(scale);
  var cost = 0.0;
  var mass = 0.0;
  ${row.pass(
    sources,
    ({ x, target_ }) => `
    let y = ${mixed(target_, spec)};
    let costs = (maximum - ${x}) + logTotal;
    cost += ${row.sum(`select(y * clamp(costs, ${type}(u.least), ${type}(u.most)), ${type}(), y == ${type}())`)};
    mass += ${row.sum(withinLimits('y', 'costs', type))};`,
  )}
  let totals = sumOfCosts(vec2f(cost, mass));
  if (${row.isFirst}) {
    let isNan = (bitcast<u32>(scale) & 0x7fffffffu) > 0x7f800000u;
    losses[row] = select(totals.x * u.scale, u.nan, isNan); // which clamp need not keep
    lse[row] = maximum + logTotal;
    ${spec.hasMass ? 'masses[row] = totals.y;' : ''}
  }`,
  };
});

interface SlopesSpec extends RowsSpec {
  limited: boolean;
  dyByRow: boolean;
  dtargets: boolean;
  inPlace: boolean;
}

/**
 * dlogits = dloss · (p · Σ y − y) with p = exp(x − lse), and dtargets = dloss · (lse − x) · (1 − smoothing) where it is wanted. With
 * `inPlace` dlogits holds the logits.
 */
const slopesProgram = defineProgram('softCrossEntropyGrad', (spec: SlopesSpec, gpu) => {
  const row = new Row(gpu, spec.vocabulary, { streamed: true });
  const { type } = row;
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: {
      ...(!spec.inPlace && { logits: type }),
      ...{ targets: targetType(type, spec), dy: 'f32', lse: 'f32' },
      ...(spec.hasMass && { masses: 'f32' as const }),
    },
    writes: { dlogits: type, ...(spec.dtargets && { dtargets: type }) },
    uniforms: {
      ...row.uniforms,
      scale: 'f32',
      labelSmoothing: 'f32',
      ...(spec.limited && ({ least: 'f32', most: 'f32' } as const)),
    },
    body: `
  ${row.begin()}
  let dloss = dy[${spec.dyByRow ? 'row' : '0'}] * u.scale;
  let share = dloss${spec.hasMass ? ' * masses[row]' : ''};
  let kept = dloss * (1.0 - u.labelSmoothing);
  let logSumExp = lse[row];
  ${row.pass(
    sourcesOf(type, spec, spec.inPlace ? 'dlogits' : 'logits'),
    ({ x, target_ }, at) => `
    let y = ${spec.limited ? withinLimits(`(${mixed(target_, spec)})`, `(logSumExp - ${x})`, type) : mixed(target_, spec)};
    dlogits[base + ${at}] = share * exp(${x} - logSumExp) - dloss * y;
    ${spec.dtargets ? `dtargets[base + ${at}] = kept * (logSumExp - ${x});` : ''}`,
  )}`,
  };
});

/** What a row's loss is multiplied by, for `rows` of them. */
const scaleOf = (reduction: string, rows: number) => (reduction === 'mean' ? 1 / Math.max(rows, 1) : 1);

export const softCrossEntropy = webgpuKernel(
  SoftCrossEntropy,
  (gpu, { logits, ...given }, { labelSmoothing, reduction, epsilon, targetsAreNormalized }) => {
    const [rows, vocabulary] = asRows(logits.shape);
    const shape = logits.shape.slice(0, -1);
    const targets = gpu.asStored(given.targets);
    const [losses, lse] = [gpu.output(shape), gpu.output(shape)];
    const mass = targetsAreNormalized ? undefined : gpu.output(shape);
    const spec = {
      ...{ vocabulary, smoothed: labelSmoothing > 0, hasMass: mass !== undefined },
      integers: targets.dtype !== 'float32',
    };
    const uniforms = { labelSmoothing, scale: scaleOf(reduction, rows), nan: Number.NaN, ...limitsOf(epsilon) };
    const program = epsilon > 0 ? limitedRowsProgram : rowsProgram;
    gpu.run(program, spec, { logits, targets, losses, lse, masses: mass }, uniforms, { rows });
    if (reduction === 'none') return { loss: losses, lse, mass };
    const loss = columnSum(gpu, losses, rows, 1, { total: gpu.output([]) });
    gpu.release(losses);
    return { loss, lse, mass };
  },
);

export const softCrossEntropyGrad = webgpuKernel(
  SoftCrossEntropyGrad,
  (gpu, { dy, lse, mass, ...given }, { labelSmoothing, reduction, epsilon, dtargets: wantsTargets, inPlace }) => {
    const [rows, vocabulary] = asRows(given.logits.shape);
    const targets = gpu.asStored(given.targets);
    const { source: logits, output: dlogits } = gpu.outputOver(given.logits, inPlace);
    const dtargets = wantsTargets ? gpu.output(targets.shape) : undefined;
    const spec = {
      ...{ vocabulary, smoothed: labelSmoothing > 0, hasMass: mass !== undefined },
      ...{ limited: epsilon > 0, dyByRow: reduction === 'none', dtargets: wantsTargets },
      ...{ integers: targets.dtype !== 'float32', inPlace: logits === undefined },
    };
    const tensors = { logits, targets, dy, lse, masses: mass, dlogits, dtargets };
    const uniforms = { labelSmoothing, scale: scaleOf(reduction, rows), ...limitsOf(epsilon) };
    gpu.run(slopesProgram, spec, tensors, uniforms, { rows });
    return { dlogits, dtargets };
  },
);
