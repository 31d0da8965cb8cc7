import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward, onInputs } from '../harness/bench_case.js';
import { noise, scales } from '../harness/inputs.js';

const stock = (x: tf.Tensor, gamma: tf.Tensor) =>
  tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-6))), gamma);

export function rmsNorm(quick: boolean): BenchCase[] {
  // Whole hidden states, then heads.
  const sizes = quick
    ? [{ rows: 64, columns: 256 }]
    : [
        { rows: 4096, columns: 4096, forward: 0.035, both: 0.09 },
        { rows: 262144, columns: 64 },
        { rows: 65536, columns: 128 },
      ];
  return sizes.flatMap(
    ({ rows, columns, forward, both }: { rows: number; columns: number; forward?: number; both?: number }) => {
      const pass = rows * columns * 4;
      const inputs = () => ({ x: noise([rows, columns], 1), gamma: scales(columns, 3), dy: noise([rows, columns], 5) });
      const shape = `${rows}×${columns}`;
      return [
        {
          op: 'rmsNorm',
          shape,
          timed: 'forward',
          target: forward,
          bytes: 2 * pass,
          ours: onInputs(inputs, ({ x, gamma }) => [liger.rmsNorm(x, gamma)]),
          stock: onInputs(inputs, ({ x, gamma }) => [stock(x, gamma)]),
        },
        {
          op: 'rmsNorm',
          shape,
          timed: 'forward and backward',
          target: both,
          // Backward reads dy and x and writes dx.
          bytes: 5 * pass,
          ours: forwardAndBackward(inputs, ['x', 'gamma'], ({ x, gamma }) => liger.rmsNorm(x, gamma)),
          stock: forwardAndBackward(inputs, ['x', 'gamma'], ({ x, gamma }) => stock(x, gamma)),
        },
      ];
    },
  );
}
