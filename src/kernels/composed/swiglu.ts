import { type KernelFunc, mul, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { SwigluAttrs } from '../kernel_names.js';
import { activate, slope } from './activations.js';

export const swiglu: KernelFunc = ({ inputs, attrs }) => {
  const { gate, up } = inputs as { gate: Tensor; up: Tensor };
  const { gateMultiplier, downMultiplier } = attrs as unknown as SwigluAttrs;
  return tidy(() => mul(mul(activate('silu', mul(gate, gateMultiplier)), up), downMultiplier));
};

export const swigluGrad: KernelFunc = ({ inputs, attrs }) => {
  const { dy, gate, up } = inputs as { dy: Tensor; gate: Tensor; up: Tensor };
  const { gateMultiplier, downMultiplier } = attrs as unknown as SwigluAttrs;
  return tidy(() => {
    const z = mul(gate, gateMultiplier);
    const dgate = mul(slope('silu', mul(dy, up), z), gateMultiplier * downMultiplier);
    const dup = mul(mul(dy, activate('silu', z)), downMultiplier);
    return [dgate, dup];
  });
};
