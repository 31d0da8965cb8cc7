import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { indices, noise } from '../harness/inputs.js';
import { stockScaledCrossEntropy } from './shared/stock_scaled_cross_entropy.js';

const TEMPERATURE = 0.7;

export function fusedLinearScaledCrossEntropy(quick: boolean): BenchCase[] {
  const [rows, hidden, vocabulary] = quick ? [64, 32, 500] : [4096, 1024, 50304];
  const inputs = () => ({
    x: noise([rows, hidden], 1),
    weight: noise([vocabulary, hidden], 3, 1 / Math.sqrt(hidden)),
    labels: indices([rows], vocabulary, 5),
    dy: noise([rows], 7),
  });
  return [
    {
      op: 'fusedLinearScaledCrossEntropy',
      shape: `${rows}×${hidden}×${vocabulary}, entropy`,
      timed: 'forward and backward',
      // The logits twice, and the gradients of x and of the weight.
      operations: 8 * rows * hidden * vocabulary,
      stockBytes: 10 * rows * vocabulary * 4,
      ours: forwardAndBackward(inputs, ['x', 'weight'], ({ x, weight, labels }) => {
        const config = { temperature: TEMPERATURE, returnEntropy: true } as const;
        const { nll, entropy } = liger.fusedLinearScaledCrossEntropy(x, weight, labels, config);
        return tf.add(nll, entropy);
      }),
      stock: forwardAndBackward(inputs, ['x', 'weight'], ({ x, weight, labels }) =>
        stockScaledCrossEntropy(tf.matMul(x, weight, false, true), labels, TEMPERATURE),
      ),
    },
  ];
}
