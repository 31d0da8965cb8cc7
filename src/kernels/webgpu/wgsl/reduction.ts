import { type DeviceTraits, SMALLEST_SUBGROUP } from '../runtime/program.js';
import { times } from './elements.js';

export interface ReductionOptions {
  readonly type?: 'f32' | 'vec2f' | 'vec4f';
  readonly op?: 'add' | 'max';
}

/**
 * WGSL of `fn <name>(value: <type>) -> <type>`, which gives every thread of the workgroup the sum (or maximum) of all
 * threads' values. It must be called in uniform control flow. The order of the additions is fixed.
 *
 * With subgroups: one subgroup reduction, then one pass over the subgroups' results in shared memory.
 * Without: a tree in shared memory.
 */
export function workgroupReduction(
  gpu: DeviceTraits,
  workgroupSize: number,
  name: string,
  options: ReductionOptions = {},
): string {
  const { type = 'f32', op = 'add' } = options;
  if (!gpu.hasSubgroups) return treeReduction(workgroupSize, workgroupSize, name, options);
  const combine = combineBy(op);
  const subgroupOp = op === 'add' ? 'subgroupAdd' : 'subgroupMax';
  return `
var<workgroup> ${name}Partials: array<${type}, ${Math.ceil(workgroupSize / SMALLEST_SUBGROUP)}>;
fn ${name}(value: ${type}) -> ${type} {
  let partial = ${subgroupOp}(value);
  workgroupBarrier();
  if (lane == 0u) { ${name}Partials[thread / subgroupWidth] = partial; }
  workgroupBarrier();
  var result = ${name}Partials[0];
  for (var i = 1u; i * subgroupWidth < ${workgroupSize}u; i++) { result = ${combine('result', `${name}Partials[i]`)}; }
  return result;
}`;
}

/**
 * The same over each `lanes` threads of a workgroup, a power of two.
 *
 * With subgroups: exchanges between threads as far apart as the device's smallest subgroup allows, then, where `lanes` are
 * more, their results in shared memory.
 */
export function rowReduction(
  gpu: DeviceTraits,
  workgroupSize: number,
  lanes: number,
  name: string,
  options: ReductionOptions = {},
): string {
  const { type = 'f32', op = 'add' } = options;
  if (lanes === workgroupSize) return workgroupReduction(gpu, workgroupSize, name, options);
  if (lanes === 1) return `fn ${name}(value: ${type}) -> ${type} { return value; }`;
  if (!gpu.hasSubgroups) return treeReduction(workgroupSize, lanes, name, options);
  const combine = combineBy(op);
  const together = Math.min(lanes, gpu.subgroupMinSize);
  const exchanges = times(Math.log2(together), (i) => {
    const other = `subgroupShuffleXor(result, ${2 ** i}u)`;
    return `  result = ${combine('result', other)};`;
  });
  if (together === lanes)
    return `fn ${name}(value: ${type}) -> ${type} {\n  var result = value;\n${exchanges}\n  return result;\n}`;
  return `
var<workgroup> ${name}Partials: array<${type}, ${workgroupSize / together}>;
fn ${name}(value: ${type}) -> ${type} {
  var result = value;
${exchanges}
  workgroupBarrier();
  if (thread % ${together}u == 0u) { ${name}Partials[thread / ${together}u] = result; }
  workgroupBarrier();
  let first = thread / ${lanes}u * ${lanes / together}u;
  result = ${name}Partials[first];
  for (var i = 1u; i < ${lanes / together}u; i++) { result = ${combine('result', `${name}Partials[first + i]`)}; }
  return result;
}`;
}

/** WGSL that gives the variables `names` their sums over threads, by the function `reduce` of vec4s: four at a time. */
export function reduceByFours(names: readonly string[], reduce: string): string {
  return times(Math.ceil(names.length / 4), (four) => {
    const some = names.slice(4 * four, 4 * four + 4);
    const components = Array.from({ length: 4 }, (_, i) => some[i] ?? '0.0');
    const assignments = some.map((name, i) => `${name} = four${four}.${'xyzw'[i]};`);
    return `let four${four} = ${reduce}(vec4f(${components.join(', ')}));\n${assignments.join('\n')}`;
  });
}

/** The sum over every `columns`-th thread of a workgroup, a power of two, in shared memory. The first `columns` threads get it. */
export function columnReduction(
  workgroupSize: number,
  columns: number,
  name: string,
  type: 'vec2f' | 'mat2x4f',
): string {
  if (columns === workgroupSize) return `fn ${name}(value: ${type}) -> ${type} { return value; }`;
  return `
var<workgroup> ${name}Partials: array<${type}, ${workgroupSize}>;
fn ${name}(value: ${type}) -> ${type} {
  workgroupBarrier();
  ${name}Partials[thread] = value;
  for (var stride = ${workgroupSize / 2}u; stride >= ${columns}u; stride /= 2u) {
    workgroupBarrier();
    if (thread < stride) { ${name}Partials[thread] += ${name}Partials[thread + stride]; }
  }
  return ${name}Partials[thread];
}`;
}

/** Over each `lanes` threads of a workgroup, in shared memory alone. */
function treeReduction(
  workgroupSize: number,
  lanes: number,
  name: string,
  { type = 'f32', op = 'add' }: ReductionOptions,
): string {
  const isWhole = lanes === workgroupSize;
  const [place, first] = isWhole ? ['thread', '0'] : [`thread % ${lanes}u`, `thread / ${lanes}u * ${lanes}u`];
  const sum = combineBy(op)(`${name}Partials[thread]`, `${name}Partials[thread + stride]`);
  return `
var<workgroup> ${name}Partials: array<${type}, ${workgroupSize}>;
fn ${name}(value: ${type}) -> ${type} {
  workgroupBarrier();
  ${name}Partials[thread] = value;
  for (var stride = ${lanes / 2}u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (${place} < stride) { ${name}Partials[thread] = ${sum}; }
  }
  workgroupBarrier();
  return ${name}Partials[${first}];
}`;
}

const combineBy = (op: 'add' | 'max') => (a: string, b: string) => (op === 'add' ? `${a} + ${b}` : `max(${a}, ${b})`);
