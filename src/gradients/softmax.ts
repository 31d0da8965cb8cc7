import type { GradConfig, Tensor } from '@tensorflow/tfjs-core';
import { Softmax, SoftmaxGrad } from '../kernels/kernel_names.js';
import { runKernel } from '../kernels/run_kernel.js';

export const softmaxGradConfig: GradConfig = {
  kernelName: Softmax,
  outputsToSave: [true],
  gradFunc: (dy, [y]) => {
    const [dx] = runKernel(SoftmaxGrad, { dy: dy as Tensor, y }, {});
    return { x: () => dx! };
  },
};
