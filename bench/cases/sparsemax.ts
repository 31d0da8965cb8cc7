import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward, onInputs } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';

/** By sorted entries, as there is no other way in stock ops. */
function stock(x: tf.Tensor): tf.Tensor {
  const columns = x.shape.at(-1)!;
  const { values } = tf.topk(x, columns);
  const excess = tf.sub(tf.cumsum(values, -1), 1);
  const support = tf.sum(tf.cast(tf.greater(tf.mul(tf.range(1, columns + 1), values), excess), 'float32'), -1, true);
  const last = tf.oneHot(tf.cast(tf.squeeze(tf.sub(support, 1), [-1]), 'int32'), columns);
  return tf.relu(tf.sub(x, tf.div(tf.sum(tf.mul(last, excess), -1, true), support)));
}

export function sparsemax(quick: boolean): BenchCase[] {
  const [rows, columns] = quick ? [64, 256] : [4096, 4096];
  const inputs = () => ({ x: noise([rows, columns], 1, 3), dy: noise([rows, columns], 3) });
  return [
    {
      op: 'sparsemax',
      shape: `${rows}×${columns}`,
      timed: 'forward',
      bytes: 2 * rows * columns * 4,
      ours: onInputs(inputs, ({ x }) => [liger.sparsemax(x)]),
      stock: onInputs(inputs, ({ x }) => [tf.tidy(() => stock(x))]),
    },
    {
      op: 'sparsemax',
      shape: `${rows}×${columns}`,
      timed: 'forward and backward',
      // Backward reads dy and y and writes dx. Stock sorting has no gradient.
      bytes: 5 * rows * columns * 4,
      ours: forwardAndBackward(inputs, ['x'], ({ x }) => liger.sparsemax(x)),
    },
  ];
}
