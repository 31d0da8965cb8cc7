import { add, mul, type Tensor } from '@tensorflow/tfjs-core';
import { SwigluMlp, SwigluMlpGrad } from '../contracts/swiglu_mlp.js';
import { linear, linearGradWeight, linearGradX } from './linear.js';
import { composedKernel } from './shared/composed_kernel.js';
import { swiglu, swigluGrad } from './swiglu.js';

/** Gate and up are multiplied already. */
const multiplied = { gateMultiplier: 1, downMultiplier: 1 };
const plain = { activation: 'none', transposeWeight: false } as const;

export const swigluMlp = composedKernel(
  SwigluMlp,
  (
    { x, gateWeight, upWeight, downWeight },
    { gateMultiplier, downMultiplier, keepGateUp },
  ): { y: Tensor; gate?: Tensor; up?: Tensor } => {
    const gate = mul(linear.run({ x, weight: gateWeight }, plain).y, gateMultiplier);
    const up = mul(linear.run({ x, weight: upWeight }, plain).y, downMultiplier);
    const { y: hidden } = swiglu.run({ gate, up }, multiplied);
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
    const { dx: dhidden } = linearGradX.run({ dz: dy, weight: downWeight }, plain);
    const slopes = swigluGrad.run({ dy: dhidden, gate, up }, multiplied);
    const [dgate, dup] = [mul(slopes.dgate, gateMultiplier), mul(slopes.dup, downMultiplier)];
    const through = (dz: Tensor, weight: Tensor) => linearGradX.run({ dz, weight }, plain).dx;
    const weightGradient = (dz: Tensor, input: Tensor) => linearGradWeight.run({ dz, x: input }, plain).dweight;
    return {
      dx: wantsX ? add(through(dgate, gateWeight), through(dup, upWeight)) : undefined,
      dgateWeight: wantsGateWeight ? weightGradient(dgate, x) : undefined,
      dupWeight: wantsUpWeight ? weightGradient(dup, x) : undefined,
      ddownWeight: wantsDownWeight ? weightGradient(dy, swiglu.run({ gate, up }, multiplied).y) : undefined,
    };
  },
);
