/** For the specs of the WebGPU runtime. */

import type { WebGPUBackendAccess } from '../../src/kernels/webgpu/runtime/backend_access.js';
import { Gpu } from '../../src/kernels/webgpu/runtime/gpu.js';
import { tf, webgpuDevice } from './backend.js';

export const gpu = (): Gpu => Gpu.of(tf.backend());

export const webgpuBackend = (): WebGPUBackendAccess => tf.backend() as unknown as WebGPUBackendAccess;

/** A tensor of what a program wrote. */
export const toTensor = (info: tf.TensorInfo): tf.Tensor => tf.engine().makeTensorFromTensorInfo(info);

/** Submits what is recorded, so that buffers of disposed tensors are given back. */
export function submit(): void {
  const backend = webgpuBackend();
  backend.endComputePassEncoder();
  if (backend.commandEncoder) backend.submitQueue();
}

type Method = 'createComputePipeline' | 'createBuffer' | 'createBindGroup';

/** How often `fn` calls methods of the device. */
export function countCalls(fn: () => void): Record<Method, number> {
  const device = webgpuDevice() as unknown as Record<Method, (descriptor: unknown) => unknown>;
  const counts = { createComputePipeline: 0, createBuffer: 0, createBindGroup: 0 };
  const methods = Object.keys(counts) as Method[];
  for (const name of methods) {
    const method = device[name];
    device[name] = (descriptor) => {
      counts[name]++;
      return method.call(device, descriptor);
    };
  }
  try {
    fn();
  } finally {
    for (const name of methods) Reflect.deleteProperty(device, name);
  }
  return counts;
}
