import { Geglu, GegluGrad } from '../contracts/geglu.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { gatedLinearUnit } from './shared/gated_linear_unit.js';

const unit = gatedLinearUnit('geglu', 'geluTanh');
const unscaled = { gateMultiplier: 1, downMultiplier: 1 };

export const geglu = webgpuKernel(Geglu, (gpu, inputs) => unit.forward(gpu, inputs, unscaled));

export const gegluGrad = webgpuKernel(GegluGrad, (gpu, inputs) => unit.backward(gpu, inputs, unscaled));
