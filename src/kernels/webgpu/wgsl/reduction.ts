import { type DeviceTraits, SMALLEST_SUBGROUP } from '../runtime/program.js';
import { times } from './elements.js';

export interface ReductionOptions {
  /** A matrix is four vec4s that are added up together, for the price of one wait. */
  readonly type?: 'f32' | 'u32' | 'vec2f' | 'vec4f' | 'mat4x4f';
  /** Of a matrix 'add' alone. */
  readonly op?: 'add' | 'max';
}

/** WGSL of a subgroup's built-in function of a value, of a matrix column by column. */
function ofSubgroup(type: ReductionOptions['type'], call: (value: string) => string, value: string): string {
  if (type !== 'mat4x4f') return call(value);
  return `mat4x4f(${[0, 1, 2, 3].map((i) => call(`${value}[${i}]`)).join(', ')})`;
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
  let partial = ${ofSubgroup(type, (part) => `${subgroupOp}(${part})`, 'value')};
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
    const other = ofSubgroup(type, (part) => `subgroupShuffleXor(${part}, ${2 ** i}u)`, 'result');
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

/**
 * WGSL that gives the variables `names` their sums over threads, by the function `reduce`: four at a time where it is of vec4s, sixteen
 * where it is of matrices.
 */
export function reduceTogether(names: readonly string[], reduce: string, type: 'vec4f' | 'mat4x4f'): string {
  const together = type === 'vec4f' ? 4 : 16;
  return times(Math.ceil(names.length / together), (i) => {
    const some = names.slice(together * i, together * (i + 1));
    const components = Array.from({ length: together }, (_, j) => some[j] ?? '0.0');
    const column = (j: number) => (type === 'vec4f' ? '' : `[${j >> 2}]`);
    const assignments = some.map((name, j) => `${name} = totals${i}${column(j)}.${'xyzw'[j % 4]};`);
    return `let totals${i} = ${reduce}(${type}(${components.join(', ')}));\n${assignments.join('\n')}`;
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
