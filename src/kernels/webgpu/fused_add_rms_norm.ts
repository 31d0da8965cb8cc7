import type { KernelConfig } from '@tensorflow/tfjs-core';
import {
  FusedAddRmsNorm,
  type FusedAddRmsNormAttrs,
  FusedAddRmsNormGrad,
  type FusedAddRmsNormGradAttrs,
  type FusedAddRmsNormGradInputs,
  type FusedAddRmsNormInputs,
} from '../kernel_names.js';
import { rmsNormGradient, rmsNormProgram } from './rms_norm.js';
import { Gpu } from './runtime/gpu.js';
import { asRows } from './runtime/row.js';

export const fusedAddRmsNormConfig: KernelConfig = {
  kernelName: FusedAddRmsNorm,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { x, residual, gamma } = inputs as unknown as FusedAddRmsNormInputs;
    const { epsilon, offset } = attrs as unknown as FusedAddRmsNormAttrs;
    const gpu = Gpu.of(backend);
    const [rows, hidden] = asRows(x.shape);
    const y = gpu.output(x.shape);
    const sum = gpu.output(x.shape);
    const rstd = gpu.output(x.shape.slice(0, -1));
    const spec = { hidden, hasGamma: true, hasResidual: true };
    gpu.run(rmsNormProgram, spec, { x, residual, gamma, y, sum, rstd }, { epsilon, offset }, rows);
    return [y, sum, rstd];
  },
};

export const fusedAddRmsNormGradConfig: KernelConfig = {
  kernelName: FusedAddRmsNormGrad,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { residual, ...others } = inputs as unknown as FusedAddRmsNormGradInputs;
    return rmsNormGradient(Gpu.of(backend), { ...others, x: residual }, attrs as unknown as FusedAddRmsNormGradAttrs);
  },
};
