import type { KernelConfig, TensorInfo } from '@tensorflow/tfjs-core';
import type { Contract, Tensors } from '../../contracts/shared/contract.js';
import { kernelFuncOf } from '../../contracts/shared/kernel_func.js';
import { Gpu } from './gpu.js';

/** The WGSL kernel of a contract, for tfjs's registry. If it throws, the tensors that it has made are given back. */
export function webgpuKernel<Inputs, Attrs, Outputs>(
  contract: Contract<Inputs, Attrs, Outputs>,
  run: (
    gpu: Gpu,
    inputs: Tensors<NoInfer<Inputs>, TensorInfo>,
    attrs: NoInfer<Attrs>,
  ) => Tensors<NoInfer<Outputs>, TensorInfo>,
): KernelConfig {
  return {
    kernelName: contract.name,
    backendName: 'webgpu',
    kernelFunc: kernelFuncOf<Inputs, Attrs, Outputs, TensorInfo>(contract, (inputs, attrs, backend) => {
      const gpu = Gpu.of(backend);
      return gpu.kernel(() => run(gpu, inputs, attrs));
    }),
  };
}
