import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise, scales } from '../harness/inputs.js';

/** As in the U-Nets of diffusion models. */
const GROUPS = 32;

function stock(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, channelsFirst: boolean) {
  const [batch, ...rest] = x.shape as [number, ...number[]];
  const channels = gamma.size;
  const grouped = tf.reshape(
    x,
    channelsFirst ? [batch, GROUPS, -1] : [batch, ...rest.slice(0, -1), GROUPS, channels / GROUPS],
  );
  const { mean, variance } = tf.moments(grouped, channelsFirst ? 2 : [1, 2, 4], true);
  const normalized = tf.reshape(tf.mul(tf.sub(grouped, mean), tf.rsqrt(tf.add(variance, 1e-6))), x.shape);
  const perChannel = channelsFirst ? [channels, 1, 1] : [channels];
  return tf.add(tf.mul(normalized, tf.reshape(gamma, perChannel)), tf.reshape(beta, perChannel));
}

export function groupNorm(quick: boolean): BenchCase[] {
  const [batch, side, channels] = quick ? [1, 8, 64] : [8, 64, 320];
  const pass = batch * side * side * channels * 4;
  return (['channelsLast', 'channelsFirst'] as const).map((dataFormat) => {
    const isFirst = dataFormat === 'channelsFirst';
    const shape = isFirst ? [batch, channels, side, side] : [batch, side, side, channels];
    const inputs = () => ({
      x: noise(shape, 1),
      gamma: scales(channels, 3),
      beta: noise([channels], 5),
      dy: noise(shape, 7),
    });
    return {
      op: 'groupNorm',
      shape: `[${shape.join(', ')}], ${GROUPS} groups`,
      timed: 'forward and backward',
      bytes: 5 * pass,
      ours: forwardAndBackward(inputs, ['x', 'gamma', 'beta'], ({ x, gamma, beta }) =>
        liger.groupNorm(x, gamma, beta, { numGroups: GROUPS, dataFormat }),
      ),
      stock: forwardAndBackward(inputs, ['x', 'gamma', 'beta'], ({ x, gamma, beta }) => stock(x, gamma, beta, isFirst)),
    };
  });
}
