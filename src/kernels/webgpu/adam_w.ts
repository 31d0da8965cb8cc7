import type { TensorInfo } from '@tensorflow/tfjs-core';
import { AdamW, AdamWStep, SquaredNorms } from '../contracts/adam_w.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { forEachMember, type GroupSpec, groupTensors, groupUniforms, inGroup } from './shared/tensor_groups.js';
import { times } from './wgsl/elements.js';
import { workgroupReduction } from './wgsl/reduction.js';

const THREADS = 256;
/** Elements that each thread has in flight. */
const ITEMS = 2;

/** parameter, gradient, m and v. */
const BUFFERS_A_PARAMETER = 4;

/** Loads past the end read the last element instead, so that no branch keeps the loads from being in flight together. */
const adamWProgram = defineProgram('adamW', ({ count, type }: GroupSpec) => ({
  workgroupSize: THREADS,
  reads: { step: 'vec4f', ...forEachMember(count, 'gradient', type) },
  writes: {
    ...forEachMember(count, 'parameter', type),
    ...forEachMember(count, 'm', type),
    ...forEachMember(count, 'v', type),
  },
  uniforms: {
    ...groupUniforms(count),
    ...forEachMember(count, 'weightDecay', 'f32'),
    beta1: 'f32',
    gain1: 'f32',
    beta2: 'f32',
    gain2: 'f32',
    epsilon: 'f32',
  },
  body: `
  let learningRate = step[0].x;
  let gradientScale = step[0].y;
  let stepSize = step[0].z;
  let rootCorrection = step[0].w;
  ${inGroup(
    count,
    THREADS * ITEMS,
    (k) => `
    ${times(
      ITEMS,
      (q) => `
    let i${q} = base + ${q * THREADS}u + thread;
    let last${q} = min(i${q}, elements - 1u);
    let g${q} = gradient${k}[last${q}] * gradientScale;
    let newM${q} = u.beta1 * m${k}[last${q}] + u.gain1 * g${q};
    let newV${q} = u.beta2 * v${k}[last${q}] + u.gain2 * g${q} * g${q};
    let decayed${q} = parameter${k}[last${q}] * (1.0 - learningRate * u.weightDecay${k});`,
    )}
    ${times(
      ITEMS,
      (q) => `
    if (i${q} < elements) {
      parameter${k}[i${q}] = decayed${q} - stepSize * newM${q} / (sqrt(newV${q}) * rootCorrection + u.epsilon);
      m${k}[i${q}] = newM${q};
      v${k}[i${q}] = newV${q};
    }`,
    )}`,
  )}`,
}));

/** Its uniforms are new in every step, so that those of `adamW` need not be. */
const adamWStepProgram = defineProgram('adamWStep', ({ clips }: { clips: boolean }, gpu) => ({
  workgroupSize: THREADS,
  reads: { ...(clips && { squaredNorms: 'f32' }) },
  writes: { step: 'vec4f', ...(clips && { gradientNorm: 'f32' }) },
  uniforms: { learningRate: 'f32', stepSize: 'f32', rootCorrection: 'f32', clipNorm: 'f32', count: 'u32' },
  declarations: clips ? workgroupReduction(gpu, THREADS, 'workgroupSum') : '',
  body: `
  var gradientScale = 1.0;
  ${
    clips
      ? `
  var squares = 0.0;
  for (var i = thread; i < u.count; i += ${THREADS}u) { squares += squaredNorms[i]; }
  let norm = sqrt(workgroupSum(squares));
  let ratio = u.clipNorm / (norm + 1e-6);
  // Not min(), which may turn NaN into 1.
  gradientScale = select(ratio, 1.0, ratio >= 1.0);
  if (thread == 0u) { gradientNorm[0] = norm; }`
      : ''
  }
  if (thread == 0u) { step[0] = vec4f(u.learningRate, gradientScale, u.stepSize, u.rootCorrection); }`,
}));

export const adamW = webgpuKernel(AdamW, (gpu, tensors, { beta1, beta2, epsilon, weightDecays }) => {
  const gradients: TensorInfo[] = [];
  const outputs: TensorInfo[] = [];
  for (let i = 1; i < tensors.length; i += BUFFERS_A_PARAMETER) {
    outputs.push(gpu.writable(tensors[i]!), gpu.writable(tensors[i + 2]!), gpu.writable(tensors[i + 3]!));
    gradients.push(tensors[i + 1]!);
  }
  const betas = [beta1, 1 - beta1, beta2, 1 - beta2, epsilon];
  const most = Math.floor((gpu.limits.maxStorageBuffersPerShaderStage - 1) / BUFFERS_A_PARAMETER);
  for (const { spec, members, uniforms, workgroups } of groupTensors(gradients, most, THREADS * ITEMS)) {
    // In the order of the program's reads and writes, and of its uniforms.
    const bound = [tensors[0]!, ...members.map((i) => gradients[i]!)];
    for (const kept of [0, 1, 2]) for (const i of members) bound.push(outputs[3 * i + kept]!);
    const values = [...uniforms, ...members.map((i) => weightDecays[i]!), ...betas];
    gpu.runInOrder(adamWProgram, spec, bound, values, workgroups);
  }
  return outputs;
});

export const adamWStep = webgpuKernel(AdamWStep, (gpu, { squaredNorms, ...results }, attrs) => {
  const { learningRate, clipNorm, beta1, beta2, iteration } = attrs;
  const step = gpu.writable(results.step);
  const gradientNorm = results.gradientNorm && gpu.writable(results.gradientNorm);
  const uniforms = {
    learningRate,
    stepSize: () => learningRate() / (1 - beta1 ** iteration()),
    rootCorrection: () => 1 / Math.sqrt(1 - beta2 ** iteration()),
    clipNorm,
    count: squaredNorms?.shape[0] ?? 0,
  };
  const spec = { clips: squaredNorms !== undefined };
  gpu.run(adamWStepProgram, spec, { squaredNorms, step, gradientNorm }, uniforms, 1);
  return { step, gradientNorm };
});

/** Elements of which each thread has the squares in flight. */
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

export const squaredNorms = webgpuKernel(SquaredNorms, (gpu, inputs) => {
  const tensors = Object.values(inputs);
  const groups = groupTensors(tensors, gpu.limits.maxStorageBuffersPerShaderStage - 1, THREADS * LOADS);
  const squaredNorms = gpu.output([groups.reduce((sum, { workgroups }) => sum + workgroups, 0)]);
  let offset = 0;
  for (const { spec, members, uniforms, workgroups } of groups) {
    const bound = [...members.map((i) => tensors[i]!), squaredNorms];
    gpu.runInOrder(squaredNormsProgram, spec, bound, [...uniforms, offset], workgroups);
    offset += workgroups;
  }
  return { squaredNorms };
});
