import { clone, type GradConfig, type Tensor } from '@tensorflow/tfjs-core';
import { FusedAddRmsNorm, type FusedAddRmsNormAttrs, FusedAddRmsNormGrad } from '../kernels/kernel_names.js';
import { runKernel } from '../kernels/run_kernel.js';

export const fusedAddRmsNormGradConfig: GradConfig = {
  kernelName: FusedAddRmsNorm,
  inputsToSave: ['gamma'],
  outputsToSave: [false, true, true],
  gradFunc: (dys, saved, attrs) => {
    const [dy, dresidual] = dys as Tensor[];
    const [gamma, residual, rstd] = saved;
    const { offset } = attrs as unknown as FusedAddRmsNormAttrs;
    const [dx, dgamma] = runKernel(FusedAddRmsNormGrad, { dy, dresidual, residual, gamma, rstd }, { offset });
    // x and residual have one gradient. The tape disposes what it accumulates, so each gets a tensor of its own.
    return { x: () => dx!, residual: () => clone(dx!), gamma: () => dgamma! };
  },
};
