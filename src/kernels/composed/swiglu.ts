import { mul } from '@tensorflow/tfjs-core';
import { Swiglu, SwigluGrad } from '../contracts/swiglu.js';
import { activate, slope } from './shared/activations.js';
import { composedKernel } from './shared/composed_kernel.js';

export const swiglu = composedKernel(Swiglu, ({ gate, up }, { gateMultiplier, downMultiplier }) => ({
  y: mul(mul(activate('silu', mul(gate, gateMultiplier)), up), downMultiplier),
}));

export const swigluGrad = composedKernel(SwigluGrad, ({ dy, gate, up }, { gateMultiplier, downMultiplier }) => {
  const z = mul(gate, gateMultiplier);
  return {
    dgate: mul(slope('silu', mul(dy, up), z), gateMultiplier * downMultiplier),
    dup: mul(mul(dy, activate('silu', z)), downMultiplier),
  };
});
