import type { KernelConfig } from '@tensorflow/tfjs-core';
import {
  CrossEntropy,
  type CrossEntropyAttrs,
  CrossEntropyGrad,
  type CrossEntropyGradInputs,
  type CrossEntropyInputs,
} from '../kernel_names.js';
import {
  type CrossEntropyRows,
  crossEntropyGradient,
  crossEntropyLoss,
  crossEntropyResults,
  crossEntropyTotals,
} from './cross_entropy_rows.js';
import { Gpu } from './runtime/gpu.js';
import { asRows } from './runtime/row.js';

function rowsOf({ logits, labels, weight }: CrossEntropyInputs, attrs: CrossEntropyAttrs): CrossEntropyRows {
  const [rows, vocabulary] = asRows(logits.shape);
  return { rows, vocabulary, stride: vocabulary, labels, weight, attrs, tokenScaled: false };
}

export const crossEntropyConfig: KernelConfig = {
  kernelName: CrossEntropy,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { logits, labels, weight } = inputs as unknown as CrossEntropyInputs;
    const gpu = Gpu.of(backend);
    const call = rowsOf({ logits, labels, weight }, attrs as unknown as CrossEntropyAttrs);
    const results = crossEntropyResults(gpu, call);
    crossEntropyLoss(gpu, call, results, logits);
    const [loss, ...others] = crossEntropyTotals(gpu, call, results);
    return [loss!, results.lse, results.stats, ...others];
  },
};

export const crossEntropyGradConfig: KernelConfig = {
  kernelName: CrossEntropyGrad,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { dy, logits, labels, weight, lse, stats } = inputs as unknown as CrossEntropyGradInputs;
    const gpu = Gpu.of(backend);
    const call = rowsOf({ logits, labels, weight }, attrs as unknown as CrossEntropyAttrs);
    const dlogits = gpu.output(logits.shape);
    crossEntropyGradient(gpu, call, { lse, stats }, { logits, dlogits, dy });
    return dlogits;
  },
};
