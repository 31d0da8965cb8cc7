import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { PackedSwiglu, PackedSwigluGrad } from '../kernels/contracts/packed_swiglu.js';

export const packedSwigluGradient = gradientOf(PackedSwiglu, {
  save: ['gateUp'],
  backward: ({ y: dy }, { gateUp }, attrs) => ({
    gateUp: () => runKernel(PackedSwigluGrad, { dy, gateUp }, attrs).dgateUp,
  }),
});
