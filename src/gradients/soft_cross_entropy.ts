import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { SoftCrossEntropy, SoftCrossEntropyGrad } from '../kernels/contracts/soft_cross_entropy.js';

export const softCrossEntropyGradient = gradientOf(SoftCrossEntropy, {
  save: ['logits', 'targets', 'lse', 'mass'],
  hide: ['lse', 'mass'],
  backward: ({ loss: dy }, saved, { labelSmoothing, reduction, epsilon }, wants) => {
    const attrs = { labelSmoothing, reduction, epsilon, dtargets: wants.targets };
    const { dlogits, dtargets } = runKernel(SoftCrossEntropyGrad, { dy, ...saved }, attrs);
    return { logits: () => dlogits, targets: () => dtargets };
  },
});
