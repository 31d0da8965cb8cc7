import { AddN, addN, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { KernelReplacement } from '../../../engine/stock_kernels.js';

/** Tensors that a program of tfjs's may read, beside the one that it writes and its uniforms, on any device. */
const MOST = 6;

/** tfjs's binds all tensors at once, of which a device allows a few. */
export const addMany: KernelReplacement = {
  kernelName: AddN,
  run: ({ inputs }) => {
    const tensors = Object.values(inputs) as Tensor[];
    if (tensors.length <= MOST) return undefined;
    return tidy(() => {
      const sums: Tensor[] = [];
      for (let i = 0; i < tensors.length; i += MOST) sums.push(addN(tensors.slice(i, i + MOST)));
      return addN(sums);
    });
  },
};
