import {
  type Activation,
  ActivationGrad,
  BiasGrad,
  Linear,
  LinearGradWeight,
  LinearGradX,
} from '../contracts/linear.js';
import { linearFeatures } from '../contracts/shared/linear_features.js';
import { type MatmulOperand, matmul } from './matmul/matmul.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { columnSum } from './shared/column_sum.js';
import { defineElementwise, runElementwise } from './shared/elementwise.js';
import { wgslFunction } from './wgsl/activations.js';
import { asRows } from './wgsl/row.js';

export const linear = webgpuKernel(Linear, (gpu, { x, weight, bias }, { activation, transposeWeight, keepZ }) => {
  const [rows] = asRows(x.shape);
  const { inFeatures, outFeatures } = linearFeatures(weight, transposeWeight);
  const shape = [...x.shape.slice(0, -1), outFeatures];
  const y = gpu.output(shape);
  const z = keepZ ? gpu.output(shape) : undefined;
  const a: MatmulOperand = { tensor: x, layout: 'kInner', stride: inFeatures };
  const b: MatmulOperand = transposeWeight
    ? { tensor: weight, layout: 'kOuter', stride: outFeatures }
    : { tensor: weight, layout: 'kInner', stride: inFeatures };
  matmul(gpu, { m: rows, n: outFeatures, k: inFeatures, a, b, c: y, bias, z, activation });
  return { y, z };
});

export const linearGradX = webgpuKernel(LinearGradX, (gpu, { dz, weight }, { transposeWeight }) => {
  const [rows] = asRows(dz.shape);
  const { inFeatures, outFeatures } = linearFeatures(weight, transposeWeight);
  const dx = gpu.output([...dz.shape.slice(0, -1), inFeatures]);
  const a: MatmulOperand = { tensor: dz, layout: 'kInner', stride: outFeatures };
  const b: MatmulOperand = transposeWeight
    ? { tensor: weight, layout: 'kInner', stride: outFeatures }
    : { tensor: weight, layout: 'kOuter', stride: inFeatures };
  matmul(gpu, { m: rows, n: inFeatures, k: outFeatures, a, b, c: dx });
  return { dx };
});

export const linearGradWeight = webgpuKernel(LinearGradWeight, (gpu, { dz, x, total }, { transposeWeight }) => {
  const [rows, outFeatures] = asRows(dz.shape);
  const [, inFeatures] = asRows(x.shape);
  const slopes: MatmulOperand = { tensor: dz, layout: 'kOuter', stride: outFeatures };
  const activations: MatmulOperand = { tensor: x, layout: 'kOuter', stride: inFeatures };
  const [a, b, m, n] = transposeWeight
    ? [activations, slopes, inFeatures, outFeatures]
    : [slopes, activations, outFeatures, inFeatures];
  const dweight = total ? gpu.writable(total) : gpu.output([m, n]);
  matmul(gpu, { m, n, k: rows, a, b, c: dweight, accumulate: total !== undefined });
  return { dweight };
});

export const biasGrad = webgpuKernel(BiasGrad, (gpu, { dz }) => ({ dbias: columnSum(gpu, dz, ...asRows(dz.shape)) }));

const activationGradProgram = defineElementwise(
  'activationGrad',
  ({ activation }: { activation: Exclude<Activation, 'none'> }, type) => ({
    reads: ['dy', 'z'],
    writes: { dz: `dy * ${activation}Slope(z)` },
    declarations: wgslFunction(activation, type),
  }),
);

export const activationGrad = webgpuKernel(ActivationGrad, (gpu, { dy, z }, { activation }) => {
  const dz = gpu.output(z.shape);
  runElementwise(gpu, activationGradProgram, { activation }, { dy, z, dz });
  return { dz };
});
