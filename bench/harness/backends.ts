import * as tf from '@tensorflow/tfjs';
import { type Backend, useBackend } from '../../examples/support/choose_backend.js';
import { type BenchDevice, HostBenchDevice, WebGPUBenchDevice } from './device.js';

/** Makes `name` the current backend. */
export async function openBackend(name: Backend): Promise<BenchDevice> {
  await useBackend(name);
  return name === 'webgpu'
    ? new WebGPUBenchDevice(tf.backend() as tf.KernelBackend)
    : new HostBenchDevice(`${name} on Node.js`);
}
