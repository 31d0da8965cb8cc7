import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, onInputs, valueAndGradients } from '../harness/bench_case.js';
import { noise, scales } from '../harness/inputs.js';

function stock(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) {
  const { mean, variance } = tf.moments(x, -1, true);
  return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-6))), gamma), beta);
}

export function layerNorm(quick: boolean): BenchCase[] {
  const [rows, hidden] = quick ? [64, 256] : [4096, 4096];
  const pass = rows * hidden * 4;
  const inputs = () => ({
    x: noise([rows, hidden], 1),
    gamma: scales(hidden, 3),
    beta: noise([hidden], 5),
    dy: noise([rows, hidden], 7),
  });
  return [
    {
      op: 'layerNorm',
      shape: `${rows}×${hidden}`,
      timed: 'forward and backward',
      target: quick ? undefined : 0.16,
      bytes: 5 * pass,
      ours: onInputs(inputs, ({ x, gamma, beta, dy }) =>
        valueAndGradients(() => liger.layerNorm(x, gamma, beta), [x, gamma, beta], dy),
      ),
      stock: onInputs(inputs, ({ x, gamma, beta, dy }) =>
        valueAndGradients(() => stock(x, gamma, beta), [x, gamma, beta], dy),
      ),
    },
  ];
}
