import type { GradConfig, Tensor } from '@tensorflow/tfjs-core';
import { Rope, type RopeAttrs } from '../kernels/kernel_names.js';
import { runKernel } from '../kernels/run_kernel.js';

export const ropeGradConfig: GradConfig = {
  kernelName: Rope,
  inputsToSave: ['cos', 'sin'],
  gradFunc: (dys, saved, attrs) => {
    const [q, k] = dys as Tensor[];
    const [cos, sin] = saved;
    const { transposed } = attrs as unknown as RopeAttrs;
    const [dq, dk] = runKernel(Rope, { q, k, cos, sin }, { transposed: !transposed });
    return { q: () => dq!, k: () => dk! };
  },
};
