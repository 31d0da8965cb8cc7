import type { GradConfig, Tensor } from '@tensorflow/tfjs-core';
import {
  ActivationGrad,
  BiasGrad,
  Linear,
  type LinearAttrs,
  LinearGradWeight,
  LinearGradX,
} from '../kernels/kernel_names.js';
import { runKernel } from '../kernels/run_kernel.js';
import { savedInputs } from './saved_inputs.js';

export const linearGradConfig: GradConfig = {
  kernelName: Linear,
  inputsToSave: savedInputs('x', 'weight', 'bias'),
  gradFunc: (dys, saved, attrs) => {
    const dy = Array.isArray(dys) ? dys[0]! : dys;
    const [x, weight, bias] = saved as [Tensor, Tensor, Tensor?];
    const { activation, transposeWeight } = attrs as unknown as LinearAttrs;
    let dz = dy;
    if (activation !== 'none') {
      // The op keeps z instead; this is for those who run the kernel by its name.
      const [z] = runKernel(Linear, { x, weight, bias }, { activation: 'none', transposeWeight });
      [dz] = runKernel(ActivationGrad, { dy, z }, { activation }) as [Tensor];
    }
    return {
      x: () => runKernel(LinearGradX, { dz, weight }, { transposeWeight })[0]!,
      weight: () => runKernel(LinearGradWeight, { dz, x }, { transposeWeight })[0]!,
      bias: () => runKernel(BiasGrad, { dz }, {})[0]!,
    };
  },
};
