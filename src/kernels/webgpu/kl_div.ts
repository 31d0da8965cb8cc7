import { KlDiv, KlDivGrad } from '../contracts/kl_div.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { divergenceKernels } from './shared/divergence.js';

/** P · (log P − input), and 0 where P is 0. */
const kernels = divergenceKernels('klDiv', (type, { logTarget }: { logTarget: boolean }) => ({
  common: logTarget ? 'let p = exp(target_); let logP = target_;' : 'let p = target_; let logP = log(target_);',
  loss: `select(p * (logP - input), ${type}(), p == ${type}())`,
  slope: '-p',
}));

export const klDiv = webgpuKernel(KlDiv, (gpu, inputs, { logTarget, ...attrs }) =>
  kernels.forward(gpu, inputs, attrs, { logTarget }),
);

export const klDivGrad = webgpuKernel(KlDivGrad, (gpu, inputs, { logTarget, ...attrs }) =>
  kernels.backward(gpu, inputs, attrs, { logTarget }),
);
