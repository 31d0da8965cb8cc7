import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { SwigluMlp, SwigluMlpGrad } from '../kernels/contracts/swiglu_mlp.js';

export const swigluMlpGradient = gradientOf(SwigluMlp, {
  save: ['x', 'gateWeight', 'upWeight', 'downWeight', 'gate', 'up'],
  hide: ['gate', 'up'],
  backward: ({ y: dy }, { gate, up, ...inputs }, { gateMultiplier, downMultiplier }, wants) => {
    const multipliers = { gateMultiplier, downMultiplier };
    // Who runs the kernel by its name may not have kept gate and up.
    const kept = gate && up ? { gate, up } : runKernel(SwigluMlp, inputs, { ...multipliers, keepGateUp: true });
    const { dx, dgateWeight, dupWeight, ddownWeight } = runKernel(
      SwigluMlpGrad,
      { dy, ...inputs, gate: kept.gate!, up: kept.up! },
      {
        ...multipliers,
        wantsX: wants.x,
        wantsGateWeight: wants.gateWeight,
        wantsUpWeight: wants.upWeight,
        wantsDownWeight: wants.downWeight,
      },
    );
    return { x: () => dx, gateWeight: () => dgateWeight, upWeight: () => dupWeight, downWeight: () => ddownWeight };
  },
});
