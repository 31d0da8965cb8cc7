import { type KernelFunc, mul, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { geluTanh, geluTanhSlope } from './activations.js';

export const geglu: KernelFunc = ({ inputs }) => {
  const { gate, up } = inputs as { gate: Tensor; up: Tensor };
  return tidy(() => mul(geluTanh(gate), up));
};

export const gegluGrad: KernelFunc = ({ inputs }) => {
  const { dy, gate, up } = inputs as { dy: Tensor; gate: Tensor; up: Tensor };
  return tidy(() => [mul(mul(dy, up), geluTanhSlope(gate)), mul(dy, geluTanh(gate))]);
};
