import type { GradConfig, Tensor } from '@tensorflow/tfjs-core';
import { LayerNorm, LayerNormGrad } from '../kernels/kernel_names.js';
import { runKernel } from '../kernels/run_kernel.js';

export const layerNormGradConfig: GradConfig = {
  kernelName: LayerNorm,
  inputsToSave: ['x', 'gamma'],
  outputsToSave: [false, true, true],
  gradFunc: (dys, saved) => {
    const [dy] = dys as Tensor[];
    const [x, gamma, mean, rstd] = saved;
    const [dx, dgamma, dbeta] = runKernel(LayerNormGrad, { dy, x, gamma, mean, rstd }, {});
    return { x: () => dx!, gamma: () => dgamma!, beta: () => dbeta! };
  },
};
