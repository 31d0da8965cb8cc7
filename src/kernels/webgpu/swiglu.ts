import { Swiglu, SwigluGrad } from '../contracts/swiglu.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { gatedLinearUnit } from './shared/gated_linear_unit.js';

const unit = gatedLinearUnit('swiglu', 'silu');

export const swiglu = webgpuKernel(Swiglu, unit.forward);

export const swigluGrad = webgpuKernel(SwigluGrad, unit.backward);
