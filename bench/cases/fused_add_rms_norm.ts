import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, onInputs, valueAndGradients } from '../harness/bench_case.js';
import { noise, scales } from '../harness/inputs.js';

const ours = (x: tf.Tensor, residual: tf.Tensor, gamma: tf.Tensor) => liger.fusedAddRmsNorm(x, residual, gamma);

function stock(x: tf.Tensor, residual: tf.Tensor, gamma: tf.Tensor) {
  const sum = tf.add(x, residual);
  const rstd = tf.rsqrt(tf.add(tf.mean(tf.square(sum), -1, true), 1e-6));
  return { y: tf.mul(tf.mul(sum, rstd), gamma), residual: sum };
}

export function fusedAddRmsNorm(quick: boolean): BenchCase[] {
  const [rows, hidden] = quick ? [64, 256] : [4096, 4096];
  const pass = rows * hidden * 4;
  const inputs = () => ({
    x: noise([rows, hidden], 1),
    residual: noise([rows, hidden], 3),
    gamma: scales(hidden, 5),
    dy: noise([rows, hidden], 7),
  });
  // Both results are used, as in a model; their sum, three more passes, stands for what uses them.
  const backward = (run: typeof ours | typeof stock) =>
    onInputs(inputs, ({ x, residual, gamma, dy }) =>
      valueAndGradients(
        () => {
          const results = run(x, residual, gamma);
          return tf.add(results.y, results.residual);
        },
        [x, residual, gamma],
        dy,
      ),
    );
  return [
    {
      op: 'fusedAddRmsNorm',
      shape: `${rows}×${hidden}`,
      timed: 'forward and backward',
      // Forward reads two and writes two, backward reads dy, the sum's gradient and the sum, and writes dx.
      bytes: (4 + 3 + 4) * pass,
      ours: backward(ours),
      stock: backward(stock),
    },
  ];
}
