import type { KernelConfig } from '@tensorflow/tfjs-core';
import { Geglu, GegluGrad, type GegluGradInputs, type GegluInputs } from '../kernel_names.js';
import { gatedLinearUnit } from './gated_linear_unit.js';
import { Gpu } from './runtime/gpu.js';

const unit = gatedLinearUnit('geglu', 'geluTanh');
const unscaled = { gateMultiplier: 1, downMultiplier: 1 };

export const gegluConfig: KernelConfig = {
  kernelName: Geglu,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, backend }) => unit.forward(Gpu.of(backend), inputs as unknown as GegluInputs, unscaled),
};

export const gegluGradConfig: KernelConfig = {
  kernelName: GegluGrad,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, backend }) => unit.backward(Gpu.of(backend), inputs as unknown as GegluGradInputs, unscaled),
};
