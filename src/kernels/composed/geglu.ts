import { type KernelFunc, mul, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { activate, slope } from './activations.js';

export const geglu: KernelFunc = ({ inputs }) => {
  const { gate, up } = inputs as { gate: Tensor; up: Tensor };
  return tidy(() => mul(activate('geluTanh', gate), up));
};

export const gegluGrad: KernelFunc = ({ inputs }) => {
  const { dy, gate, up } = inputs as { dy: Tensor; gate: Tensor; up: Tensor };
  return tidy(() => [slope('geluTanh', mul(dy, up), gate), mul(dy, activate('geluTanh', gate))]);
};
