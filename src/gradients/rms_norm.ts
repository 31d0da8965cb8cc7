import type { GradConfig, Tensor } from '@tensorflow/tfjs-core';
import { RmsNorm, type RmsNormAttrs, RmsNormGrad } from '../kernels/kernel_names.js';
import { runKernel } from '../kernels/run_kernel.js';
import { savedInputs } from './saved_inputs.js';

export const rmsNormGradConfig: GradConfig = {
  kernelName: RmsNorm,
  inputsToSave: savedInputs('x', 'gamma'),
  outputsToSave: [false, true],
  gradFunc: (dys, saved, attrs) => {
    const [dy] = dys as Tensor[];
    const rstd = saved[saved.length - 1]!;
    const [x, gamma] = saved.slice(0, -1);
    const { offset } = attrs as unknown as RmsNormAttrs;
    const [dx, dgamma] = runKernel(RmsNormGrad, { dy, x, gamma, rstd }, { offset });
    return { x: () => dx!, gamma: () => dgamma! };
  },
};
