import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs';
import { type BenchDevice, HostBenchDevice, WebGPUBenchDevice } from './device.js';

export const backendNames = ['webgpu', 'tensorflow', 'wasm', 'cpu'] as const;
export type BackendName = (typeof backendNames)[number];

/** Keeps what create() returned, which owns the WebGPU instance. */
let instance: GPU | undefined;

/** WebGPU from the addon in DAWN_NODE, where a machine has nothing else, or from the npm package. */
async function installWebGpu(): Promise<void> {
  const addon = process.env.DAWN_NODE;
  if (!addon) {
    const { installWebGpu: install } = await import('../../scripts/lib/dawn.mjs');
    await install();
    return;
  }
  const { create, globals } = createRequire(addon)(addon) as { create(options: string[]): GPU; globals: object };
  Object.assign(globalThis, globals);
  instance = create([]);
  Object.defineProperty(globalThis, 'navigator', {
    value: { userAgent: `Node.js ${process.version}`, gpu: instance },
    configurable: true,
    writable: true,
  });
}

/** Makes `name` the current backend. */
export async function openBackend(name: BackendName): Promise<BenchDevice> {
  if (name === 'webgpu') {
    await installWebGpu();
    const { registerWebGPUBackend } = await import('../../src/index.js');
    return new WebGPUBenchDevice((await registerWebGPUBackend()) as never);
  }
  if (name === 'tensorflow') {
    process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
    await import('@tensorflow/tfjs-node');
  } else if (name === 'wasm') {
    await import('@tensorflow/tfjs-backend-wasm');
  }
  await tf.setBackend(name);
  await tf.ready();
  if (tf.getBackend() !== name) throw new Error(`The backend is ${tf.getBackend()} instead of ${name}`);
  return new HostBenchDevice(`${name} on Node.js`);
}
