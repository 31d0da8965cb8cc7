import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise, scales } from '../harness/inputs.js';

const ours = (x: tf.Tensor, residual: tf.Tensor, gamma: tf.Tensor) => liger.fusedAddRmsNorm(x, residual, gamma);

function stock(x: tf.Tensor, residual: tf.Tensor, gamma: tf.Tensor) {
  const sum = tf.add(x, residual);
  const rstd = tf.rsqrt(tf.add(tf.mean(tf.square(sum), -1, true), 1e-6));
  return { y: tf.mul(tf.mul(sum, rstd), gamma), residual: sum };
}

export function fusedAddRmsNorm(quick: boolean): BenchCase[] {
  const [rows, columns] = quick ? [64, 256] : [4096, 4096];
  const pass = rows * columns * 4;
  const inputs = () => ({
    x: noise([rows, columns], 1),
    residual: noise([rows, columns], 3),
    gamma: scales(columns, 5),
    dy: noise([rows, columns], 7),
  });
  // Both results are used, as in a model; their sum, three more passes, stands for what uses them.
  const both = (run: typeof ours | typeof stock) =>
    forwardAndBackward(inputs, ['x', 'residual', 'gamma'], ({ x, residual, gamma }) => {
      const results = run(x, residual, gamma);
      return tf.add(results.y, results.residual);
    });
  return [
    {
      op: 'fusedAddRmsNorm',
      shape: `${rows}×${columns}`,
      timed: 'forward and backward',
      // Forward reads two and writes two, backward reads dy, the sum's gradient and the sum, and writes dx.
      bytes: (4 + 3 + 4) * pass,
      ours: both(ours),
      stock: both(stock),
    },
  ];
}
