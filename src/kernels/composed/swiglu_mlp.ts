import { add, type Tensor } from '@tensorflow/tfjs-core';
import { SwigluMlp, SwigluMlpGrad } from '../contracts/swiglu_mlp.js';
import { linear, linearGradWeight, linearGradX } from './linear.js';
import { composedKernel } from './shared/composed_kernel.js';
import { swiglu, swigluGrad } from './swiglu.js';

const plain = { activation: 'none', transposeWeight: false } as const;

export const swigluMlp = composedKernel(
  SwigluMlp,
  (
    { x, gateWeight, upWeight, downWeight },
    { gateMultiplier, downMultiplier, keepGateUp },
  ): { y: Tensor; gate?: Tensor; up?: Tensor } => {
    const { y: gate } = linear.run({ x, weight: gateWeight }, plain);
    const { y: up } = linear.run({ x, weight: upWeight }, plain);
    const { y: hidden } = swiglu.run({ gate, up }, { gateMultiplier, downMultiplier });
    const { y } = linear.run({ x: hidden, weight: downWeight }, plain);
    return keepGateUp ? { y, gate, up } : { y };
  },
);

export const swigluMlpGrad = composedKernel(
  SwigluMlpGrad,
  (
    { dy, x, gateWeight, upWeight, downWeight, gate, up },
    { gateMultiplier, downMultiplier, wantsX, wantsGateWeight, wantsUpWeight, wantsDownWeight },
  ) => {
    const multipliers = { gateMultiplier, downMultiplier };
    const { dx: dhidden } = linearGradX.run({ dz: dy, weight: downWeight }, plain);
    const { dgate, dup } = swigluGrad.run({ dy: dhidden, gate, up }, multipliers);
    const through = (dz: Tensor, weight: Tensor) => linearGradX.run({ dz, weight }, plain).dx;
    const weightGradient = (dz: Tensor, input: Tensor) => linearGradWeight.run({ dz, x: input }, plain).dweight;
    return {
      dx: wantsX ? add(through(dgate, gateWeight), through(dup, upWeight)) : undefined,
      dgateWeight: wantsGateWeight ? weightGradient(dgate, x) : undefined,
      dupWeight: wantsUpWeight ? weightGradient(dup, x) : undefined,
      ddownWeight: wantsDownWeight ? weightGradient(dy, swiglu.run({ gate, up }, multipliers).y) : undefined,
    };
  },
);
