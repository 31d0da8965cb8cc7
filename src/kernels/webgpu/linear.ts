import type { KernelConfig } from '@tensorflow/tfjs-core';
import {
  type Activation,
  ActivationGrad,
  type ActivationGradAttrs,
  type ActivationGradInputs,
  BiasGrad,
  type BiasGradInputs,
  Linear,
  type LinearAttrs,
  type LinearGradAttrs,
  LinearGradWeight,
  type LinearGradWeightInputs,
  LinearGradX,
  type LinearGradXInputs,
  type LinearInputs,
} from '../kernel_names.js';
import { columnSum } from './column_sum.js';
import { type MatmulOperand, matmul } from './matmul/matmul.js';
import { wgslFunction } from './runtime/activations.js';
import { defineElementwise, runElementwise } from './runtime/elementwise.js';
import { Gpu } from './runtime/gpu.js';
import { asRows } from './runtime/row.js';

export const linearConfig: KernelConfig = {
  kernelName: Linear,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { x, weight, bias } = inputs as unknown as LinearInputs;
    const { activation, transposeWeight, keepZ } = attrs as unknown as LinearAttrs;
    const gpu = Gpu.of(backend);
    const [rows, inFeatures] = asRows(x.shape);
    const outFeatures = weight.shape[transposeWeight ? 1 : 0]!;
    const shape = [...x.shape.slice(0, -1), outFeatures];
    const y = gpu.output(shape);
    const z = keepZ ? gpu.output(shape) : undefined;
    const a: MatmulOperand = { tensor: x, layout: 'kInner', stride: inFeatures };
    const b: MatmulOperand = transposeWeight
      ? { tensor: weight, layout: 'kOuter', stride: outFeatures }
      : { tensor: weight, layout: 'kInner', stride: inFeatures };
    matmul(gpu, rows, outFeatures, inFeatures, a, b, y, { bias, z, epilogue: { activation } });
    return z ? [y, z] : [y];
  },
};

export const linearGradXConfig: KernelConfig = {
  kernelName: LinearGradX,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { dz, weight } = inputs as unknown as LinearGradXInputs;
    const { transposeWeight } = attrs as unknown as LinearGradAttrs;
    const gpu = Gpu.of(backend);
    const [rows, outFeatures] = asRows(dz.shape);
    const inFeatures = weight.shape[transposeWeight ? 0 : 1]!;
    const dx = gpu.output([...dz.shape.slice(0, -1), inFeatures]);
    const a: MatmulOperand = { tensor: dz, layout: 'kInner', stride: outFeatures };
    const b: MatmulOperand = transposeWeight
      ? { tensor: weight, layout: 'kInner', stride: outFeatures }
      : { tensor: weight, layout: 'kOuter', stride: inFeatures };
    matmul(gpu, rows, inFeatures, outFeatures, a, b, dx);
    return dx;
  },
};

export const linearGradWeightConfig: KernelConfig = {
  kernelName: LinearGradWeight,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { dz, x } = inputs as unknown as LinearGradWeightInputs;
    const { transposeWeight } = attrs as unknown as LinearGradAttrs;
    const gpu = Gpu.of(backend);
    const [rows, outFeatures] = asRows(dz.shape);
    const [, inFeatures] = asRows(x.shape);
    const gradients: MatmulOperand = { tensor: dz, layout: 'kOuter', stride: outFeatures };
    const activations: MatmulOperand = { tensor: x, layout: 'kOuter', stride: inFeatures };
    const [a, b, m, n] = transposeWeight
      ? [activations, gradients, inFeatures, outFeatures]
      : [gradients, activations, outFeatures, inFeatures];
    const dweight = gpu.output([m, n]);
    matmul(gpu, m, n, rows, a, b, dweight);
    return dweight;
  },
};

export const biasGradConfig: KernelConfig = {
  kernelName: BiasGrad,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, backend }) => {
    const { dz } = inputs as unknown as BiasGradInputs;
    return columnSum(Gpu.of(backend), dz, ...asRows(dz.shape));
  },
};

const activationGradProgram = defineElementwise(
  'activationGrad',
  ({ activation }: { activation: Exclude<Activation, 'none'> }, type) => ({
    reads: ['dy', 'z'],
    writes: { dz: `dy * ${activation}Slope(z)` },
    declarations: wgslFunction(activation, type),
  }),
);

export const activationGradConfig: KernelConfig = {
  kernelName: ActivationGrad,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { dy, z } = inputs as unknown as ActivationGradInputs;
    const { activation } = attrs as unknown as ActivationGradAttrs;
    const gpu = Gpu.of(backend);
    const dz = gpu.output(z.shape);
    runElementwise(gpu, activationGradProgram, { activation }, { dy, z, dz });
    return dz;
  },
};
