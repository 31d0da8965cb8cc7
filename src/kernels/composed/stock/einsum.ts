import { clone, Einsum, type EinsumAttrs, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { contract, labelsOf } from '../../../engine/contraction.js';
import type { KernelReplacement } from '../../../engine/stock_kernels.js';

/**
 * tfjs's makes every product before it sums them, in a tensor of all labels; on cpu it errs where it sums a label in one operand alone, and
 * wasm has none.
 */
export const einsum: KernelReplacement = {
  kernelName: Einsum,
  backends: ['webgpu', 'webgl', 'wasm', 'cpu'],
  run: ({ inputs, attrs }) => {
    const tensors = Object.values(inputs) as Tensor[];
    const labels = labelsOf((attrs as unknown as EinsumAttrs).equation, tensors);
    if (!labels || tensors.some(({ dtype, size }) => dtype !== 'float32' || size === 0)) return undefined;
    const operands = tensors.map((tensor, i) => ({ tensor, labels: labels.operands[i]! }));
    return tidy(() => {
      const y = contract(operands, labels.result);
      return tensors.includes(y) ? clone(y) : y;
    });
  },
};
