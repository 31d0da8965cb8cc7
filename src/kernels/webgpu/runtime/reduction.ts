import type { DeviceTraits } from './program.js';

/** The smallest subgroup that WGSL allows, which bounds the number of subgroups in a workgroup. */
const SMALLEST_SUBGROUP = 4;

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
  { type = 'f32', op = 'add' }: { type?: 'f32' | 'vec2f' | 'vec4f'; op?: 'add' | 'max' } = {},
): string {
  const combine = (a: string, b: string) => (op === 'add' ? `${a} + ${b}` : `max(${a}, ${b})`);
  if (gpu.hasSubgroups) {
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
  return `
var<workgroup> ${name}Partials: array<${type}, ${workgroupSize}>;
fn ${name}(value: ${type}) -> ${type} {
  workgroupBarrier();
  ${name}Partials[thread] = value;
  for (var stride = ${workgroupSize / 2}u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (thread < stride) { ${name}Partials[thread] = ${combine(`${name}Partials[thread]`, `${name}Partials[thread + stride]`)}; }
  }
  workgroupBarrier();
  return ${name}Partials[0];
}`;
}
