import * as tf from '@tensorflow/tfjs';
import { useBackend, useStockWebGpu } from '../../examples/support/choose_backend.js';
import { installWebGpu } from '../../scripts/lib/dawn.mjs';
import { registerWebGPUBackend, type WebGPUBackend } from '../../src/index.js';
import type { BenchBackend } from '../options.mjs';
import { type BenchDevice, HostBenchDevice, WebGPUBenchDevice } from './device.js';

/** Makes `name` the current backend. */
export async function openBackend(name: BenchBackend): Promise<BenchDevice> {
  if (name === 'webgpu-stock') {
    await useStockWebGpu();
  } else if (name === 'webgpu-null') {
    await installWebGpu({ backend: 'null' });
    await registerWebGPUBackend({ fitDevice: false });
  } else {
    await useBackend(name);
    if (name === 'webgpu') await (tf.backend() as unknown as WebGPUBackend).fitted;
  }
  return name.startsWith('webgpu')
    ? new WebGPUBenchDevice(tf.backend() as tf.KernelBackend)
    : new HostBenchDevice(`${name} on Node.js`);
}
