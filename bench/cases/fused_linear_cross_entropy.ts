import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { indices, noise } from '../harness/inputs.js';
import { stockCrossEntropy } from './shared/stock_cross_entropy.js';

export function fusedLinearCrossEntropy(quick: boolean): BenchCase[] {
  const sizes = quick
    ? [[64, 32, 500, undefined] as const]
    : [[4096, 1024, 50304, 30] as const, [4096, 4096, 32000, 70] as const];
  return sizes.map(([rows, hidden, vocabulary, target]) => {
    const inputs = () => ({
      x: noise([rows, hidden], 1),
      weight: noise([vocabulary, hidden], 3, 1 / Math.sqrt(hidden)),
      labels: indices([rows], vocabulary, 5),
    });
    return {
      op: 'fusedLinearCrossEntropy',
      shape: `${rows}×${hidden}×${vocabulary}`,
      timed: 'forward and backward',
      target,
      // The logits, and the gradients of x and of the weight.
      operations: 6 * rows * hidden * vocabulary,
      stockBytes: 8 * rows * vocabulary * 4,
      ours: forwardAndBackward(inputs, ['x', 'weight'], ({ x, weight, labels }) =>
        liger.fusedLinearCrossEntropy(x, weight, labels),
      ),
      stock: forwardAndBackward(inputs, ['x', 'weight'], ({ x, weight, labels }) =>
        stockCrossEntropy(tf.matMul(x, weight, false, true), labels),
      ),
    };
  });
}
