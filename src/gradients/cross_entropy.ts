import { type GradConfig, type Tensor, zerosLike } from '@tensorflow/tfjs-core';
import { CrossEntropy, CrossEntropyGrad } from '../kernels/kernel_names.js';
import { runKernel } from '../kernels/run_kernel.js';
import { savedInputs } from './saved_inputs.js';

export const crossEntropyGradConfig: GradConfig = {
  kernelName: CrossEntropy,
  inputsToSave: savedInputs('logits', 'labels', 'weight'),
  // lse and stats
  outputsToSave: [false, true, true],
  gradFunc: (dys, saved, attrs) => {
    const [dy] = dys as Tensor[];
    const [lse, stats] = saved.slice(-2);
    const [logits, labels, weight] = saved.slice(0, -2);
    return {
      logits: () => runKernel(CrossEntropyGrad, { dy, logits, labels, weight, lse, stats }, attrs)[0]!,
      // Not differentiable, but the tape asks for it when it depends on a variable.
      weight: () => zerosLike(weight!),
    };
  },
};
