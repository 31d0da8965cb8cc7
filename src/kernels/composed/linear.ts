import { add, type KernelFunc, matMul, reshape, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { ActivationGradAttrs, LinearAttrs, LinearGradAttrs } from '../kernel_names.js';
import { activate, slope } from './activations.js';
import { flatten, sumOverRows } from './rows.js';

export const linear: KernelFunc = ({ inputs, attrs }) =>
  tidy(() => {
    const { x, weight, bias } = inputs as { x: Tensor; weight: Tensor; bias?: Tensor };
    const { activation, transposeWeight, keepZ } = attrs as unknown as LinearAttrs;
    const product = matMul(flatten(x), weight, false, !transposeWeight);
    const z = reshape(bias ? add(product, bias) : product, [...x.shape.slice(0, -1), product.shape[1]!]);
    const y = activation === 'none' ? z : activate(activation, z);
    return keepZ ? [y, z] : [y];
  });

export const linearGradX: KernelFunc = ({ inputs, attrs }) =>
  tidy(() => {
    const { dz, weight } = inputs as { dz: Tensor; weight: Tensor };
    const { transposeWeight } = attrs as unknown as LinearGradAttrs;
    const dx = matMul(flatten(dz), weight, false, transposeWeight);
    return reshape(dx, [...dz.shape.slice(0, -1), dx.shape[1]!]);
  });

export const linearGradWeight: KernelFunc = ({ inputs, attrs }) =>
  tidy(() => {
    const { dz, x } = inputs as { dz: Tensor; x: Tensor };
    const { transposeWeight } = attrs as unknown as LinearGradAttrs;
    const [a, b] = transposeWeight ? [x, dz] : [dz, x];
    return matMul(flatten(a), flatten(b), true, false);
  });

export const biasGrad: KernelFunc = ({ inputs }) => tidy(() => sumOverRows((inputs as { dz: Tensor }).dz));

export const activationGrad: KernelFunc = ({ inputs, attrs }) =>
  tidy(() => {
    const { dy, z } = inputs as { dy: Tensor; z: Tensor };
    const { activation } = attrs as unknown as ActivationGradAttrs;
    return slope(activation, dy, z);
  });
