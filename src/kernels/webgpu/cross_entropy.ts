import type { TensorInfo } from '@tensorflow/tfjs-core';
import { CrossEntropy, type CrossEntropyAttrs, CrossEntropyGrad } from '../contracts/cross_entropy.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import {
  type CrossEntropyRows,
  crossEntropyGradient,
  crossEntropyLoss,
  crossEntropyResults,
  crossEntropyTotals,
} from './shared/cross_entropy_rows.js';
import { asRows } from './wgsl/row.js';

interface Inputs {
  logits: TensorInfo;
  labels: TensorInfo;
  weight?: TensorInfo | undefined;
}

function rowsOf({ logits, labels, weight }: Inputs, attrs: CrossEntropyAttrs): CrossEntropyRows {
  const [rows, vocabulary] = asRows(logits.shape);
  return { rows, vocabulary, stride: vocabulary, labels, weight, attrs, tokenScaled: false };
}

export const crossEntropy = webgpuKernel(CrossEntropy, (gpu, inputs, attrs) => {
  const call = rowsOf(inputs, attrs);
  const results = crossEntropyResults(gpu, call);
  crossEntropyLoss(gpu, call, results, inputs.logits);
  const { lse, stats } = results;
  return { ...crossEntropyTotals(gpu, call, results), lse, stats };
});

export const crossEntropyGrad = webgpuKernel(CrossEntropyGrad, (gpu, { dy, lse, stats, ...inputs }, attrs) => {
  const { source: logits, output: dlogits } = gpu.outputOver(inputs.logits, attrs.inPlace);
  crossEntropyGradient(gpu, rowsOf(inputs, attrs), { lse, stats }, { logits, dlogits, dy });
  return { dlogits };
});
