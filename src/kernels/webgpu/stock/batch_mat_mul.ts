import {
  _FusedMatMul,
  type _FusedMatMulAttrs,
  type _FusedMatMulInputs,
  BatchMatMul,
  type BatchMatMulAttrs,
  type BatchMatMulInputs,
  backend_util,
  getKernel,
  LeakyRelu,
  type NamedAttrMap,
  type NamedTensorInfoMap,
  Prelu,
  type TensorInfo,
  util,
} from '@tensorflow/tfjs-core';
import type { WebGPUBackendInternals } from '../../../backend/tfjs_webgpu_backend.js';
import { type MatmulCall, type MatmulOperand, matmul } from '../matmul/matmul.js';
import type { Gpu } from '../runtime/gpu.js';
import { isFloat, stockKernel } from '../runtime/stock_kernel.js';

/** tfjs's activations that the matmul applies itself. */
const ACTIVATIONS = { linear: 'none', relu: 'relu', relu6: 'relu6', elu: 'elu', sigmoid: 'sigmoid' } as const;

const isFused = (name: string): name is keyof typeof ACTIVATIONS => name in ACTIVATIONS;

/**
 * Which matrix of an operand each product has: of `count` ones, each for `repeat` products in turn. Undefined where the dimensions
 * that it is broadcast along lie between others.
 */
function broadcasting(own: readonly number[], all: readonly number[]): { count: number; repeat: number } | undefined {
  const padded = all.map((_, i) => own[i - all.length + own.length] ?? 1);
  let [start, end] = [0, padded.length];
  while (end > 0 && padded[end - 1] === 1) end--;
  while (start < end && padded[start] === 1) start++;
  if (padded.slice(start, end).some((extent, i) => extent !== all[start + i])) return undefined;
  return { count: util.sizeFromShape(padded), repeat: util.sizeFromShape(all.slice(end)) };
}

/** Numbers of a product so small that it would leave a tile nearly empty: tfjs gives each a workgroup. */
const FEW = 128;

/** tfjs's types say that inputs may be missing. */
type Given<Inputs> = { [K in keyof Inputs]-?: TensorInfo };

/** a · b, or undefined where its matrices can't be told by a count and a repetition. */
function product(
  gpu: Gpu,
  { a, b }: Given<BatchMatMulInputs>,
  { transposeA, transposeB }: BatchMatMulAttrs,
  backend: WebGPUBackendInternals,
  epilogue?: Pick<MatmulCall, 'bias' | 'activation'>,
): TensorInfo | undefined {
  if (!isFloat(backend, a) || !isFloat(backend, b)) return undefined;
  const [rowsA, columnsA] = a.shape.slice(-2) as [number, number];
  const [rowsB, columnsB] = b.shape.slice(-2) as [number, number];
  const [m, k] = transposeA ? [columnsA, rowsA] : [rowsA, columnsA];
  const n = transposeB ? rowsB : columnsB;
  const [outerA, outerB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const outer = backend_util.assertAndGetBroadcastShape(outerA, outerB);
  if (util.sizeFromShape(outer) * m * n <= FEW) return undefined;
  const [inA, inB] = [broadcasting(outerA, outer), broadcasting(outerB, outer)];
  if (!inA || !inB) return undefined;
  const operandA: MatmulOperand = { tensor: a, layout: transposeA ? 'kOuter' : 'kInner', stride: columnsA, ...inA };
  const operandB: MatmulOperand = { tensor: b, layout: transposeB ? 'kInner' : 'kOuter', stride: columnsB, ...inB };
  const c = gpu.output([...outer, m, n]);
  const batch = util.sizeFromShape(outer);
  // Many matrices by one are one tall matrix by it.
  const isTall = !transposeA && inA.count === batch && inB.count === 1;
  const size = isTall ? { m: batch * m, batch: 1 } : { m, batch };
  matmul(gpu, { ...size, n, k, a: operandA, b: operandB, c, ...epilogue });
  return c;
}

export const batchMatMul = stockKernel<Given<BatchMatMulInputs>, BatchMatMulAttrs>(BatchMatMul, product);

/** Runs another kernel of tfjs's. */
const runStock = (name: string, inputs: NamedTensorInfoMap, attrs: NamedAttrMap, backend: object) =>
  getKernel(name, 'webgpu').kernelFunc({ inputs, attrs, backend }) as TensorInfo;

type FusedInputs = Given<BatchMatMulInputs> & Partial<_FusedMatMulInputs>;

export const fusedMatMul = stockKernel<FusedInputs, _FusedMatMulAttrs>(_FusedMatMul, (gpu, inputs, attrs, backend) => {
  const { b, bias, preluActivationWeights } = inputs;
  const { transposeB, leakyreluAlpha } = attrs;
  const activation = attrs.activation ?? 'linear';
  const n = b.shape.at(transposeB ? -2 : -1)!;
  if (bias && !(isFloat(backend, bias) && bias.shape.at(-1) === n && util.sizeFromShape(bias.shape) === n))
    return undefined;
  if (isFused(activation)) return product(gpu, inputs, attrs, backend, { bias, activation: ACTIVATIONS[activation] });
  const x = product(gpu, inputs, attrs, backend, { bias });
  if (!x) return undefined;
  const y =
    activation === 'prelu'
      ? runStock(Prelu, { x, alpha: preluActivationWeights! }, {}, backend)
      : runStock(LeakyRelu, { x }, { alpha: leakyreluAlpha ?? 0 }, backend);
  gpu.release(x);
  return y;
});
