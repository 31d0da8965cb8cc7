import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { SwigluAttrs, SwigluGradInputs, SwigluInputs } from '../../contracts/swiglu.js';
import type { Gpu } from '../runtime/gpu.js';
import { type WgslFunction, wgslFunction } from '../wgsl/activations.js';
import { gatedFormulas, gatedUniforms } from '../wgsl/gated.js';
import { defineElementwise, runElementwise } from './elementwise.js';

/** The kernels of a gated linear unit whose gate and up are tensors of their own. */
export function gatedLinearUnit(name: string, activation: WgslFunction) {
  const { y, ...slopes } = gatedFormulas(activation);

  const program = defineElementwise(name, (_: object, type) => ({
    reads: ['gate', 'up'],
    writes: { y },
    uniforms: gatedUniforms,
    declarations: wgslFunction(activation, type),
  }));

  const gradProgram = defineElementwise(`${name}Grad`, (_: object, type) => ({
    reads: ['dy', 'gate', 'up'],
    writes: slopes,
    uniforms: gatedUniforms,
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
