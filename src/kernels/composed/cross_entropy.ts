import { reshape, scalar, stack, type Tensor, unstack } from '@tensorflow/tfjs-core';
import { CrossEntropy, CrossEntropyGrad } from '../contracts/cross_entropy.js';
import { composedKernel } from './shared/composed_kernel.js';
import {
  crossEntropyRows,
  crossEntropyRowsGrad,
  crossEntropyStats,
  crossEntropyTotals,
} from './shared/cross_entropy_rows.js';
import { columnsOf, flatten } from './shared/rows.js';

export const crossEntropy = composedKernel(CrossEntropy, ({ logits, labels, weight }, attrs) => {
  const stats = crossEntropyStats(labels, columnsOf(logits), weight, attrs);
  const rows = crossEntropyRows(flatten(logits), labels, weight, stats, attrs);
  return {
    ...crossEntropyTotals(rows, labels.shape, stats, attrs),
    lse: reshape(rows.lse, labels.shape),
    stats: stack([stats.loss, stats.z, stats.count, stats.weightSum]),
  };
});

export const crossEntropyGrad = composedKernel(
  CrossEntropyGrad,
  ({ dy, logits, labels, weight, lse, stats: packed }, attrs) => {
    const [loss, z, count, weights] = unstack(packed) as [Tensor, Tensor, Tensor, Tensor];
    const stats = { loss, z, count, weightSum: weight ? weights : scalar(columnsOf(logits)) };
    const rowLse = reshape(lse, [lse.size]);
    const d = crossEntropyRowsGrad(flatten(logits), labels, weight, rowLse, stats, dy, attrs);
    return { dlogits: reshape(d, logits.shape) };
  },
);
