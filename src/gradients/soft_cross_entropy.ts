import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { SoftCrossEntropy, SoftCrossEntropyGrad } from '../kernels/contracts/soft_cross_entropy.js';
import { noGradient } from './shared/no_gradient.js';

export const softCrossEntropyGradient = gradientOf(SoftCrossEntropy, {
  save: ['logits', 'targets', 'lse', 'mass'],
  hide: ['lse', 'mass'],
  backward: ({ loss: dy }, saved, { labelSmoothing, reduction, epsilon }, wants, inPlace) => {
    const { targets } = saved;
    const attrs = {
      ...{ labelSmoothing, reduction, epsilon, inPlace },
      dtargets: wants.targets && targets.dtype === 'float32',
    };
    const { dlogits, dtargets } = runKernel(SoftCrossEntropyGrad, { dy, ...saved }, attrs);
    return {
      logits: () => dlogits,
      // Integers have no gradient, but the tape asks for it when they depend on a variable.
      targets: () => dtargets ?? noGradient(targets),
    };
  },
});
