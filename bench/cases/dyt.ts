import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise, scales } from '../harness/inputs.js';

const stock = (x: tf.Tensor, alpha: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) =>
  tf.add(tf.mul(gamma, tf.tanh(tf.mul(alpha, x))), beta);

export function dyt(quick: boolean): BenchCase[] {
  const [rows, columns] = quick ? [64, 256] : [4096, 4096];
  const inputs = () => ({
    x: noise([rows, columns], 1),
    alpha: tf.tensor1d([0.5]),
    gamma: scales(columns, 3),
    beta: noise([columns], 5),
    dy: noise([rows, columns], 7),
  });
  const differentiated = ['x', 'alpha', 'gamma', 'beta'] as const;
  return [
    {
      op: 'dyt',
      shape: `${rows}×${columns}`,
      timed: 'forward and backward',
      // Backward reads dy and x and writes dx.
      bytes: 5 * rows * columns * 4,
      ours: forwardAndBackward(inputs, differentiated, ({ x, alpha, gamma, beta }) =>
        liger.dyt(x, alpha, gamma, { beta }),
      ),
      stock: forwardAndBackward(inputs, differentiated, ({ x, alpha, gamma, beta }) => stock(x, alpha, gamma, beta)),
    },
  ];
}
