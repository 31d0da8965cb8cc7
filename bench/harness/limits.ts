import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { onInputs } from './bench_case.js';
import type { BenchDevice } from './device.js';
import { noise } from './inputs.js';
import { type Budget, measure, median } from './measure.js';

/** What this device can do at best: what every time is held against. */
export interface Limits {
  /** Bytes read and written a second. */
  bytesPerSecond: number;
  /** Floating point operations a second of the fastest matmul. */
  operationsPerSecond: number;
}

export async function measureLimits(device: BenchDevice, budget: Budget, quick: boolean): Promise<Limits> {
  const gpu = (tf.backend() as unknown as { device?: GPUDevice }).device;
  return {
    bytesPerSecond: await (gpu ? gpuCopyRate(gpu, quick) : hostCopyRate(device, budget, quick)),
    operationsPerSecond: await matmulRate(device, budget, quick),
  };
}

/** The milliseconds that a case needs at the least: the memory's time or the cores', whichever is longer. */
export function limitMs(
  { bytes = 0, operations = 0 }: { bytes?: number; operations?: number },
  limits: Limits,
): number {
  return 1000 * Math.max(bytes / limits.bytesPerSecond, operations / limits.operationsPerSecond);
}

const copyShader = `
@group(0) @binding(0) var<storage, read> source: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> copy: array<vec4f>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  for (var i = id.x; i < arrayLength(&source); i += grid.x * 256u) { copy[i] = source[i]; }
}`;

/** A plain WGSL copy of a buffer that is larger than any cache. */
async function gpuCopyRate(device: GPUDevice, quick: boolean): Promise<number> {
  const size = (quick ? 4 : 256) * 2 ** 20;
  const buffers = [0, 1].map(() => device.createBuffer({ size, usage: GPUBufferUsage.STORAGE }));
  const module = device.createShaderModule({ code: copyShader });
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module } });
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const copies = quick ? 5 : 100;
  const times: number[] = [];
  for (let i = 0; i < 6; i++) {
    const start = performance.now();
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let copy = 0; copy < copies; copy++) pass.dispatchWorkgroups(Math.min(65535, size / 16 / 256));
    pass.end();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    times.push(performance.now() - start);
  }
  for (const buffer of buffers) buffer.destroy();
  return (2 * size * copies * 1000) / median(times.slice(1));
}

const ignore = async (outputs: tf.Tensor[]) => tf.dispose(outputs);

async function hostCopyRate(device: BenchDevice, budget: Budget, quick: boolean): Promise<number> {
  const size = quick ? 2 ** 20 : 2 ** 24;
  const subject = onInputs(
    () => ({ x: noise([size / 1024, 1024], 1) }),
    ({ x }) => [tf.neg(x)],
  )();
  const { ms } = await measure(device, subject, budget, ignore, false);
  subject.dispose();
  return (8 * size * 1000) / ms;
}

/** The best of tfjs's matmul and ours. */
async function matmulRate(device: BenchDevice, budget: Budget, quick: boolean): Promise<number> {
  let best = 0;
  for (const size of quick ? [256] : [4096, 8192]) {
    const inputs = () => ({ a: noise([size, size], 1), b: noise([size, size], 3) });
    const candidates = [
      onInputs(inputs, ({ a, b }) => [tf.matMul(a, b)]),
      onInputs(inputs, ({ a, b }) => [liger.linear(a, b, { transposeWeight: true })]),
    ];
    for (const candidate of candidates) {
      const subject = candidate();
      try {
        const { ms, deviceMs = ms } = await measure(device, subject, budget, ignore, true);
        best = Math.max(best, (2 * size ** 3 * 1000) / deviceMs);
      } catch {
        // One that fails shows in its own cases, and the other one counts.
      } finally {
        subject.dispose();
      }
    }
  }
  return best;
}
