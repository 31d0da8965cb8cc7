import type { KernelConfig } from '@tensorflow/tfjs-core';
import { SquaredNorms, type SquaredNormsInputs } from '../kernel_names.js';
import { times } from './runtime/elements.js';
import { Gpu } from './runtime/gpu.js';
import { defineProgram } from './runtime/program.js';
import { workgroupReduction } from './runtime/reduction.js';
import { forEachMember, type GroupSpec, groupTensors, groupUniforms, inGroup } from './runtime/tensor_groups.js';

const THREADS = 256;
/** Elements that each thread has in flight. */
const LOADS = 16;

/** Each workgroup sums its elements' squares into a place of its own in `squaredNorms`, from `u.offset` on. */
const squaredNormsProgram = defineProgram('squaredNorms', ({ count, type }: GroupSpec, gpu) => ({
  workgroupSize: THREADS,
  reads: forEachMember(count, 'x', type),
  writes: { squaredNorms: 'f32' },
  uniforms: { ...groupUniforms(count), offset: 'u32' },
  declarations: workgroupReduction(gpu, THREADS, 'workgroupSum'),
  body: `
  var squares = 0.0;
  ${inGroup(count, THREADS * LOADS, (k) => times(LOADS, (i) => addSquare(k, i, type)))}
  let total = workgroupSum(squares);
  if (thread == 0u) { squaredNorms[u.offset + workgroup] = total; }`,
}));

/** Loads past the end read the last element instead, so that no branch keeps the loads from being in flight together. */
function addSquare(k: number, i: number, type: GroupSpec['type']): string {
  const square = type === 'vec4f' ? `dot(value${i}, value${i})` : `value${i} * value${i}`;
  return `
    let at${i} = base + ${i * THREADS}u + thread;
    let value${i} = x${k}[min(at${i}, elements - 1u)];
    squares += select(0.0, ${square}, at${i} < elements);`;
}

export const squaredNormsConfig: KernelConfig = {
  kernelName: SquaredNorms,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, backend }) => {
    const tensors = Object.values(inputs as unknown as SquaredNormsInputs);
    const gpu = Gpu.of(backend);
    const groups = groupTensors(tensors, gpu.limits.maxStorageBuffersPerShaderStage - 1, THREADS * LOADS);
    const squaredNorms = gpu.output([groups.reduce((sum, { workgroups }) => sum + workgroups, 0)]);
    let offset = 0;
    for (const { spec, members, uniforms, workgroups } of groups) {
      const bound = [...members.map((i) => tensors[i]!), squaredNorms];
      gpu.runInOrder(squaredNormsProgram, spec, bound, [...uniforms, offset], workgroups);
      offset += workgroups;
    }
    return squaredNorms;
  },
};
