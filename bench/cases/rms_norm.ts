import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, onInputs, valueAndGradients } from '../harness/bench_case.js';
import { noise, scales } from '../harness/inputs.js';

const stock = (x: tf.Tensor, gamma: tf.Tensor) =>
  tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-6))), gamma);

export function rmsNorm(quick: boolean): BenchCase[] {
  const [rows, hidden] = quick ? [64, 256] : [4096, 4096];
  const pass = rows * hidden * 4;
  const inputs = () => ({ x: noise([rows, hidden], 1), gamma: scales(hidden, 3), dy: noise([rows, hidden], 5) });
  return [
    {
      op: 'rmsNorm',
      shape: `${rows}×${hidden}`,
      timed: 'forward',
      target: quick ? undefined : 0.055,
      bytes: 2 * pass,
      ours: onInputs(inputs, ({ x, gamma }) => [liger.rmsNorm(x, gamma)]),
      stock: onInputs(inputs, ({ x, gamma }) => [stock(x, gamma)]),
    },
    {
      op: 'rmsNorm',
      shape: `${rows}×${hidden}`,
      timed: 'forward and backward',
      target: quick ? undefined : 0.16,
      // Backward reads dy and x and writes dx.
      bytes: 5 * pass,
      ours: onInputs(inputs, ({ x, gamma, dy }) => valueAndGradients(() => liger.rmsNorm(x, gamma), [x, gamma], dy)),
      stock: onInputs(inputs, ({ x, gamma, dy }) => valueAndGradients(() => stock(x, gamma), [x, gamma], dy)),
    },
  ];
}
