import { clone, type GradConfig, type Tensor } from '@tensorflow/tfjs-core';
import { residentValues } from '../backend/resident_values.js';
import {
  FusedAddRmsNorm,
  type FusedAddRmsNormAttrs,
  FusedAddRmsNormGrad,
  RmsNormGrad,
} from '../kernels/kernel_names.js';
import { runKernel } from '../kernels/run_kernel.js';

export const fusedAddRmsNormGradConfig: GradConfig = {
  kernelName: FusedAddRmsNorm,
  inputsToSave: ['gamma'],
  outputsToSave: [false, true, true],
  gradFunc: (dys, saved, attrs) => {
    const [dy, dresidual] = dys as Tensor[];
    const [gamma, residual, rstd] = saved;
    const { offset } = attrs as unknown as FusedAddRmsNormAttrs;
    // After a model's last norm nothing uses the sum, and the tape makes zeros for it: not worth an upload.
    const [dx, dgamma] = isZero(dresidual!)
      ? runKernel(RmsNormGrad, { dy, x: residual, gamma, rstd }, { offset })
      : runKernel(FusedAddRmsNormGrad, { dy, dresidual, residual, gamma, rstd }, { offset });
    // x and residual have one gradient. The tape disposes what it accumulates, so each gets a tensor of its own.
    return { x: () => dx!, residual: () => clone(dx!), gamma: () => dgamma! };
  },
};

/** Whether a tensor is zeros that are still in JavaScript's memory, as those are that a tape makes. */
function isZero(tensor: Tensor): boolean {
  return residentValues(tensor)?.every((value) => value === 0) ?? false;
}
