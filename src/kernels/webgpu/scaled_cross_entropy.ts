import type { TensorInfo } from '@tensorflow/tfjs-core';
import {
  ScaledCrossEntropy,
  ScaledCrossEntropyGrad,
  type ScaledCrossEntropyGradAttrs,
} from '../contracts/scaled_cross_entropy.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import {
  scaledCrossEntropyGradient,
  scaledCrossEntropyLoss,
  scaledCrossEntropyResults,
} from './shared/scaled_cross_entropy_rows.js';
import { asRows } from './wgsl/row.js';

/** All rows, in one chunk. */
function rowsOf(logits: TensorInfo, labels: TensorInfo, attrs: ScaledCrossEntropyGradAttrs) {
  const [count, vocabulary] = asRows(logits.shape);
  return { call: { vocabulary, stride: vocabulary, labels, attrs }, chunk: { logits, first: 0, count } };
}

export const scaledCrossEntropy = webgpuKernel(ScaledCrossEntropy, (gpu, { logits, labels }, attrs) => {
  const { call, chunk } = rowsOf(logits, labels, attrs);
  const results = scaledCrossEntropyResults(gpu, labels, attrs);
  scaledCrossEntropyLoss(gpu, call, results, chunk);
  return results;
});

export const scaledCrossEntropyGrad = webgpuKernel(
  ScaledCrossEntropyGrad,
  (gpu, { logits, labels, ...slopes }, attrs) => {
    const { call, chunk } = rowsOf(logits, labels, attrs);
    const { source, output: dlogits } = gpu.outputOver(logits, attrs.inPlace);
    scaledCrossEntropyGradient(gpu, call, slopes, { ...chunk, logits: source ?? dlogits }, source && dlogits);
    return { dlogits };
  },
);
