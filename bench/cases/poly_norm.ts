import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';

const normalize = (x: tf.Tensor) => tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-6)));

function stock(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) {
  const powers = [tf.mul(tf.square(x), x), tf.square(x), x];
  const terms = powers.map((power, i) => tf.mul(tf.slice(weight, i, 1), normalize(power)));
  return tf.add(tf.addN(terms), bias);
}

export function polyNorm(quick: boolean): BenchCase[] {
  const [rows, columns] = quick ? [64, 256] : [4096, 4096];
  const inputs = () => ({
    x: noise([rows, columns], 1),
    weight: tf.tensor1d([0.2, 0.3, 0.5]),
    bias: tf.scalar(0.1),
    dy: noise([rows, columns], 5),
  });
  const differentiated = ['x', 'weight', 'bias'] as const;
  return [
    {
      op: 'polyNorm',
      shape: `${rows}×${columns}`,
      timed: 'forward and backward',
      // Backward reads dy and x and writes dx.
      bytes: 5 * rows * columns * 4,
      ours: forwardAndBackward(inputs, differentiated, ({ x, weight, bias }) => liger.polyNorm(x, weight, bias)),
      stock: forwardAndBackward(inputs, differentiated, ({ x, weight, bias }) => stock(x, weight, bias)),
    },
  ];
}
