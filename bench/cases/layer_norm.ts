import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise, scales } from '../harness/inputs.js';

function stock(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) {
  const { mean, variance } = tf.moments(x, -1, true);
  return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-6))), gamma), beta);
}

export function layerNorm(quick: boolean): BenchCase[] {
  const [rows, columns] = quick ? [64, 256] : [4096, 4096];
  const pass = rows * columns * 4;
  const inputs = () => ({
    x: noise([rows, columns], 1),
    gamma: scales(columns, 3),
    beta: noise([columns], 5),
    dy: noise([rows, columns], 7),
  });
  return [
    {
      op: 'layerNorm',
      shape: `${rows}×${columns}`,
      timed: 'forward and backward',
      target: quick ? undefined : 0.09,
      bytes: 5 * pass,
      ours: forwardAndBackward(inputs, ['x', 'gamma', 'beta'], ({ x, gamma, beta }) => liger.layerNorm(x, gamma, beta)),
      stock: forwardAndBackward(inputs, ['x', 'gamma', 'beta'], ({ x, gamma, beta }) => stock(x, gamma, beta)),
    },
  ];
}
