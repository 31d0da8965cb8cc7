import { Tvd, TvdGrad } from '../contracts/tvd.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { divergenceKernels } from './shared/divergence.js';

const kernels = divergenceKernels('tvd', (_: string, __: object) => ({
  loss: '0.5 * abs(input - target_)',
  slope: '0.5 * sign(input - target_)',
}));

export const tvd = webgpuKernel(Tvd, (gpu, inputs, attrs) => kernels.forward(gpu, inputs, attrs, {}));

export const tvdGrad = webgpuKernel(TvdGrad, (gpu, inputs, attrs) => kernels.backward(gpu, inputs, attrs, {}));
