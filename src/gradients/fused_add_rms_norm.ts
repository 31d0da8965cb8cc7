import { clone, type Tensor } from '@tensorflow/tfjs-core';
import { gradientOf } from '../engine/gradient.js';
import { residentValues } from '../engine/resident_values.js';
import { runKernel } from '../engine/run_kernel.js';
import { FusedAddRmsNorm, FusedAddRmsNormGrad } from '../kernels/contracts/fused_add_rms_norm.js';
import { RmsNormGrad } from '../kernels/contracts/rms_norm.js';

export const fusedAddRmsNormGradient = gradientOf(FusedAddRmsNorm, {
  save: ['gamma', 'sum', 'rstd'],
  hide: ['rstd'],
  backward: ({ y: dy, sum: dsum }, { gamma, sum, rstd }, { offset }, wants) => {
    const attrs = { offset, dgamma: wants.gamma };
    // After a model's last norm nothing uses the sum, and the tape makes zeros for it: not worth an upload.
    const { dx, dgamma } = isZero(dsum)
      ? runKernel(RmsNormGrad, { dy, x: sum, gamma, rstd }, attrs)
      : runKernel(FusedAddRmsNormGrad, { dy, dsum, sum, gamma, rstd }, attrs);
    // x and residual have one gradient. The tape disposes what it accumulates, so each gets a tensor of its own.
    return { x: () => dx, residual: () => clone(dx), gamma: () => dgamma };
  },
});

/** Whether a tensor is zeros that are still in JavaScript's memory, as those are that a tape makes. */
function isZero(tensor: Tensor): boolean {
  return residentValues(tensor)?.every((value) => value === 0) ?? false;
}
