import { add, matMul, reshape, type Tensor } from '@tensorflow/tfjs-core';
import { ActivationGrad, BiasGrad, Linear, LinearGradWeight, LinearGradX } from '../contracts/linear.js';
import { activate, slope } from './shared/activations.js';
import { composedKernel } from './shared/composed_kernel.js';
import { columnsOf, flatten, sumOverRows } from './shared/rows.js';

export const linear = composedKernel(
  Linear,
  ({ x, weight, bias }, { activation, transposeWeight, keepZ }): { y: Tensor; z?: Tensor } => {
    const product = matMul(flatten(x), weight, false, !transposeWeight);
    const z = reshape(bias ? add(product, bias) : product, [...x.shape.slice(0, -1), columnsOf(product)]);
    const y = activation === 'none' ? z : activate(activation, z);
    return keepZ ? { y, z } : { y };
  },
);

export const linearGradX = composedKernel(LinearGradX, ({ dz, weight }, { transposeWeight }) => {
  const dx = matMul(flatten(dz), weight, false, transposeWeight);
  return { dx: reshape(dx, [...dz.shape.slice(0, -1), columnsOf(dx)]) };
});

export const linearGradWeight = composedKernel(LinearGradWeight, ({ dz, x, total }, { transposeWeight }) => {
  const [a, b] = transposeWeight ? [x, dz] : [dz, x];
  const product = matMul(flatten(a), flatten(b), true, false);
  return { dweight: total ? add(total, product) : product };
});

export const biasGrad = composedKernel(BiasGrad, ({ dz }) => ({ dbias: sumOverRows(dz) }));

export const activationGrad = composedKernel(ActivationGrad, ({ dy, z }, { activation }) => ({
  dz: slope(activation, dy, z),
}));
