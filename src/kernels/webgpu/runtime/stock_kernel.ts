import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import type { WebGPUBackendInternals } from '../../../backend/tfjs_webgpu_backend.js';
import { Gpu } from './gpu.js';

/** A kernel that takes the place of tfjs's own of its name, for the calls that it can do. */
export interface StockKernel {
  readonly kernelName: string;
  /** Undefined for a call that is left to tfjs's. */
  readonly run: (call: Parameters<KernelFunc>[0]) => TensorInfo | undefined;
}

export function stockKernel<Inputs, Attrs>(
  kernelName: string,
  run: (gpu: Gpu, inputs: Inputs, attrs: Attrs, backend: WebGPUBackendInternals) => TensorInfo | undefined,
): StockKernel {
  return {
    kernelName,
    run: ({ inputs, attrs, backend }) => {
      const gpu = Gpu.of(backend as object);
      return gpu.kernel(() =>
        run(gpu, inputs as unknown as Inputs, attrs as unknown as Attrs, backend as WebGPUBackendInternals),
      );
    },
  };
}

/**
 * Whether kernels can work on a tensor: tfjs's cast of integers to floats leaves the integers as they are, which its own kernels
 * convert as they read them.
 */
export const isFloat = (backend: WebGPUBackendInternals, { dataId, dtype, shape }: TensorInfo) =>
  dtype === 'float32' && backend.tensorMap.get(dataId).dtype === 'float32' && shape.every((extent) => extent > 0);
