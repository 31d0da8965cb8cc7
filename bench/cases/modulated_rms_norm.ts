import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise, scales } from '../harness/inputs.js';

function stock(x: tf.Tensor, scale: tf.Tensor, gamma: tf.Tensor, shift: tf.Tensor) {
  const normalized = tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-6))), gamma);
  // [B, C] as [B, 1, C].
  const spread = (modulation: tf.Tensor) => (modulation.rank === 2 ? tf.expandDims(modulation, 1) : modulation);
  return tf.add(tf.mul(normalized, tf.add(spread(scale), 1)), spread(shift));
}

export function modulatedRmsNorm(quick: boolean): BenchCase[] {
  const [batch, length, columns] = quick ? [2, 32, 256] : [8, 512, 4096];
  // A scale for each element of the batch, then one for each row.
  return [
    [batch, columns],
    [batch, length, columns],
  ].map((modulation) => {
    const pass = batch * length * columns * 4;
    const inputs = () => ({
      x: noise([batch, length, columns], 1),
      scale: noise(modulation, 3, 0.1),
      gamma: scales(columns, 5),
      shift: noise(modulation, 7),
      dy: noise([batch, length, columns], 9),
    });
    const differentiated = ['x', 'scale', 'gamma', 'shift'] as const;
    return {
      op: 'modulatedRmsNorm',
      shape: `${batch}×${length}×${columns}, scale ${modulation.join('×')}`,
      timed: 'forward and backward',
      // Backward reads dy and x and writes dx. Of x's size, scale and shift are read, then scale again, and dscale is written.
      bytes: (modulation.length === 2 ? 5 : 9) * pass,
      ours: forwardAndBackward(inputs, differentiated, ({ x, scale, gamma, shift }) =>
        liger.modulatedRmsNorm(x, scale, { gamma, shift }),
      ),
      stock: forwardAndBackward(inputs, differentiated, ({ x, scale, gamma, shift }) => stock(x, scale, gamma, shift)),
    };
  });
}
