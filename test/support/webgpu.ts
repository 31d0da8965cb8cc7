/** For the specs of the WebGPU runtime. */

import { Gpu } from '../../src/kernels/webgpu/runtime/gpu.js';
import { tf, webgpuDevice } from './backend.js';

export const gpu = (): Gpu => Gpu.of(tf.backend());

/** A tensor of what a program wrote. */
export const toTensor = (info: tf.TensorInfo): tf.Tensor => tf.engine().makeTensorFromTensorInfo(info);

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
