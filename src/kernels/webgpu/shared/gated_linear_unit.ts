import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { SwigluAttrs, SwigluGradInputs, SwigluInputs } from '../../contracts/swiglu.js';
import type { Gpu } from '../runtime/gpu.js';
import { type WgslFunction, wgslFunction } from '../wgsl/activations.js';
import { defineElementwise, runElementwise } from './elementwise.js';

/**
 * The kernels of y = activation(z) · up · downMultiplier, where z = gate · gateMultiplier:
 * dgate = dy · up · activation'(z) · gateMultiplier · downMultiplier and dup = dy · activation(z) · downMultiplier.
 */
export function gatedLinearUnit(name: string, activation: WgslFunction) {
  const uniforms = { gateMultiplier: 'f32', downMultiplier: 'f32' } as const;

  const program = defineElementwise(name, (_: object, type) => ({
    reads: ['gate', 'up'],
    writes: { y: `${activation}(gate * u.gateMultiplier) * up * u.downMultiplier` },
    uniforms,
    declarations: wgslFunction(activation, type),
  }));

  const gradProgram = defineElementwise(`${name}Grad`, (_: object, type) => ({
    reads: ['dy', 'gate', 'up'],
    writes: {
      dgate: `dy * up * ${activation}Slope(gate * u.gateMultiplier) * (u.gateMultiplier * u.downMultiplier)`,
      dup: `dy * ${activation}(gate * u.gateMultiplier) * u.downMultiplier`,
    },
    uniforms,
    declarations: wgslFunction(activation, type),
  }));

  return {
    forward(gpu: Gpu, { gate, up }: SwigluInputs, { gateMultiplier, downMultiplier }: SwigluAttrs): { y: TensorInfo } {
      const y = gpu.output(gate.shape);
      runElementwise(gpu, program, {}, { gate, up, y }, { gateMultiplier, downMultiplier });
      return { y };
    },

    backward(gpu: Gpu, { dy, gate, up }: SwigluGradInputs, { gateMultiplier, downMultiplier }: SwigluAttrs) {
      const dgate = gpu.output(gate.shape);
      const dup = gpu.output(up.shape);
      runElementwise(gpu, gradProgram, {}, { dy, gate, up, dgate, dup }, { gateMultiplier, downMultiplier });
      return { dgate, dup };
    },
  };
}
