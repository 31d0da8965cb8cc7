import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { FusedMoe, FusedMoeGrad } from '../kernels/contracts/fused_moe.js';

export const fusedMoeGradient = gradientOf(FusedMoe, {
  save: ['x', 'gateUpProj', 'downProj', 'topKIndex', 'topKWeights', 'gate', 'up'],
  hide: ['gate', 'up'],
  backward: ({ y: dy }, { gate, up, ...inputs }, _, wants) => {
    // Who runs the kernel by its name may not have kept gate and up.
    const kept = gate && up ? { gate, up } : runKernel(FusedMoe, inputs, { keepGateUp: true });
    const { dx, dgateUpProj, ddownProj, dtopKWeights } = runKernel(
      FusedMoeGrad,
      { dy, ...inputs, gate: kept.gate!, up: kept.up! },
      {
        wantsX: wants.x,
        wantsGateUpProj: wants.gateUpProj,
        wantsDownProj: wants.downProj,
        wantsTopKWeights: wants.topKWeights,
      },
    );
    return {
      x: () => dx,
      gateUpProj: () => dgateUpProj,
      downProj: () => ddownProj,
      topKWeights: () => dtopKWeights,
    };
  },
});
