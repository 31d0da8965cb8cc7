import type { GradConfig, Tensor } from '@tensorflow/tfjs-core';
import { Geglu, GegluGrad } from '../kernels/kernel_names.js';
import { runKernel } from '../kernels/run_kernel.js';

export const gegluGradConfig: GradConfig = {
  kernelName: Geglu,
  inputsToSave: ['gate', 'up'],
  gradFunc: (dy, saved) => {
    const [gate, up] = saved;
    const [dgate, dup] = runKernel(GegluGrad, { dy: dy as Tensor, gate, up }, {});
    return { gate: () => dgate!, up: () => dup! };
  },
};
