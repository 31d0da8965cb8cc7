import type { KernelConfig, TensorInfo } from '@tensorflow/tfjs-core';
import {
  AdamW,
  type AdamWAttrs,
  type AdamWInputs,
  AdamWStep,
  type AdamWStepAttrs,
  type AdamWStepInputs,
} from '../kernel_names.js';
import { times } from './runtime/elements.js';
import { Gpu } from './runtime/gpu.js';
import { defineProgram } from './runtime/program.js';
import { workgroupReduction } from './runtime/reduction.js';
import { forEachMember, type GroupSpec, groupTensors, groupUniforms, inGroup } from './runtime/tensor_groups.js';

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

export const adamWConfig: KernelConfig = {
  kernelName: AdamW,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const tensors = Object.values(inputs as unknown as AdamWInputs);
    const { beta1, beta2, epsilon, weightDecays } = attrs as unknown as AdamWAttrs;
    const gpu = Gpu.of(backend);
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
  },
};

export const adamWStepConfig: KernelConfig = {
  kernelName: AdamWStep,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { squaredNorms, ...results } = inputs as unknown as AdamWStepInputs;
    const { learningRate, clipNorm, beta1, beta2, iteration } = attrs as unknown as AdamWStepAttrs;
    const gpu = Gpu.of(backend);
    const step = gpu.writable(results.step);
    const gradientNorm = results.gradientNorm && gpu.writable(results.gradientNorm);
    const uniforms = {
      learningRate,
      stepSize: learningRate / (1 - beta1 ** iteration),
      rootCorrection: 1 / Math.sqrt(1 - beta2 ** iteration),
      clipNorm,
      count: squaredNorms?.shape[0] ?? 0,
    };
    const spec = { clips: squaredNorms !== undefined };
    gpu.run(adamWStepProgram, spec, { squaredNorms, step, gradientNorm }, uniforms, 1, { volatile: true });
    return gradientNorm ? [step, gradientNorm] : [step];
  },
};
