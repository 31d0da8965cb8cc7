import type { KernelConfig } from '@tensorflow/tfjs-core';
import { Swiglu, type SwigluAttrs, SwigluGrad, type SwigluGradInputs, type SwigluInputs } from '../kernel_names.js';
import { gatedLinearUnit } from './gated_linear_unit.js';
import { Gpu } from './runtime/gpu.js';

const unit = gatedLinearUnit('swiglu', 'silu');

export const swigluConfig: KernelConfig = {
  kernelName: Swiglu,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) =>
    unit.forward(Gpu.of(backend), inputs as unknown as SwigluInputs, attrs as unknown as SwigluAttrs),
};

export const swigluGradConfig: KernelConfig = {
  kernelName: SwigluGrad,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) =>
    unit.backward(Gpu.of(backend), inputs as unknown as SwigluGradInputs, attrs as unknown as SwigluAttrs),
};
