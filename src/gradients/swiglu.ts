import type { GradConfig, Tensor } from '@tensorflow/tfjs-core';
import { Swiglu, type SwigluAttrs, SwigluGrad } from '../kernels/kernel_names.js';
import { runKernel } from '../kernels/run_kernel.js';

export const swigluGradConfig: GradConfig = {
  kernelName: Swiglu,
  inputsToSave: ['gate', 'up'],
  gradFunc: (dy, saved, attrs) => {
    const [gate, up] = saved;
    const { gateMultiplier, downMultiplier } = attrs as unknown as SwigluAttrs;
    const inputs = { dy: dy as Tensor, gate, up };
    const [dgate, dup] = runKernel(SwigluGrad, inputs, { gateMultiplier, downMultiplier });
    return { gate: () => dgate!, up: () => dup! };
  },
};
