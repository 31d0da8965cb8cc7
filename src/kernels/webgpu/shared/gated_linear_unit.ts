import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { SwigluAttrs, SwigluGradInputs, SwigluInputs } from '../../contracts/swiglu.js';
import type { Gpu } from '../runtime/gpu.js';
import type { WgslFunction } from '../wgsl/activations.js';
import { gated } from '../wgsl/pointwise.js';
import { runElementwise } from './elementwise.js';
import { definePointwise } from './pointwise.js';

/** The kernels of a gated linear unit whose gate and up are tensors of their own. */
export function gatedLinearUnit(name: string, activation: WgslFunction) {
  const programs = definePointwise(name, ['gate', 'up'], (type) => gated(activation, type));

  return {
    forward(gpu: Gpu, { gate, up }: SwigluInputs, { gateMultiplier, downMultiplier }: SwigluAttrs): { y: TensorInfo } {
      const y = gpu.output(gate.shape);
      runElementwise(gpu, programs.forward, {}, { gate, up, y }, { gateMultiplier, downMultiplier });
      return { y };
    },

    backward(gpu: Gpu, { dy, gate, up }: SwigluGradInputs, { gateMultiplier, downMultiplier }: SwigluAttrs) {
      const dgate = gpu.output(gate.shape);
      const dup = gpu.output(up.shape);
      const tensors = { dy, gate, up, dgate, dup };
      runElementwise(gpu, programs.backward, {}, tensors, { gateMultiplier, downMultiplier });
      return { dgate, dup };
    },
  };
}
