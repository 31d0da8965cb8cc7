import { concat, split, type Tensor } from '@tensorflow/tfjs-core';
import { PackedSwiglu, PackedSwigluGrad } from '../contracts/packed_swiglu.js';
import { composedKernel } from './shared/composed_kernel.js';
import { swiglu, swigluGrad } from './swiglu.js';

const unpack = (gateUp: Tensor) => split(gateUp, 2, -1) as [gate: Tensor, up: Tensor];

export const packedSwiglu = composedKernel(PackedSwiglu, ({ gateUp }, attrs) => {
  const [gate, up] = unpack(gateUp);
  return swiglu.run({ gate, up }, attrs);
});

export const packedSwigluGrad = composedKernel(PackedSwigluGrad, ({ dy, gateUp }, attrs) => {
  const [gate, up] = unpack(gateUp);
  const { dgate, dup } = swigluGrad.run({ dy, gate, up }, attrs);
  return { dgateUp: concat([dgate, dup], -1) };
});
