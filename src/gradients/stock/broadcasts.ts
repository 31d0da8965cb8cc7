/** tfjs's gradients of what is broadcast here are as large as what it is broadcast to, which its tape does not take. */
import { Maximum, Minimum, mul, neg, SquaredDifference, sub, type Tensor } from '@tensorflow/tfjs-core';
import { stockGradients, toShape } from '../../engine/stock_gradients.js';
import type { GradientReplacement } from '../../engine/stock_kernels.js';

const own = (kernelName: string): GradientReplacement => ({
  kernelName,
  gradFunc: stockGradients.find((config) => config.kernelName === kernelName)!.gradFunc,
});

export const maximum = own(Maximum);
export const minimum = own(Minimum);

export const squaredDifference: GradientReplacement = {
  kernelName: SquaredDifference,
  gradFunc: (dy, saved) => {
    const [a, b] = saved as [Tensor, Tensor];
    const slope = () => mul(dy as Tensor, mul(sub(a, b), 2));
    return { a: () => toShape(slope(), a), b: () => toShape(neg(slope()), b) };
  },
};
