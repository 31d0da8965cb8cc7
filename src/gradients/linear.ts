import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { ActivationGrad, BiasGrad, Linear, LinearGradWeight, LinearGradX } from '../kernels/contracts/linear.js';

export const linearGradient = gradientOf(Linear, {
  save: ['x', 'weight', 'bias', 'z'],
  hide: ['z'],
  backward: ({ y: dy }, { x, weight, bias, z }, { activation, transposeWeight }) => {
    let dz = dy;
    if (activation !== 'none') {
      // Who runs the kernel by its name may not have kept z.
      const kept = z ?? runKernel(Linear, { x, weight, bias }, { activation: 'none', transposeWeight }).y;
      dz = runKernel(ActivationGrad, { dy, z: kept }, { activation }).dz;
    }
    return {
      x: () => runKernel(LinearGradX, { dz, weight }, { transposeWeight }).dx,
      weight: () => runKernel(LinearGradWeight, { dz, x }, { transposeWeight }).dweight,
      bias: () => runKernel(BiasGrad, { dz }, {}).dbias,
    };
  },
});
