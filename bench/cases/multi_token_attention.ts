import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';

/** Rows and columns of the kernel. */
const KERNEL = 3;

/** Stock convolutions have channels last. */
function stock(scores: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor, sees: tf.Tensor): tf.Tensor {
  const weights = tf.softmax(tf.add(scores, tf.mul(tf.sub(1, sees), -1e9)));
  const map = tf.transpose(weights, [0, 2, 3, 1]) as tf.Tensor4D;
  const y = tf.add(tf.conv2d(map, tf.transpose(weight, [2, 3, 1, 0]) as tf.Tensor4D, 1, 'same'), bias);
  return tf.mul(tf.transpose(y, [0, 3, 1, 2]), sees);
}

export function multiTokenAttention(quick: boolean): BenchCase[] {
  const [batch, channels, length] = quick ? [1, 4, 40] : [2, 16, 1024];
  const shape = [batch, channels, length, length];
  const inputs = () => ({
    ...{ scores: noise(shape, 1), weight: noise([channels, channels, KERNEL, KERNEL], 3), bias: noise([channels], 5) },
    ...{ dy: noise(shape, 7), sees: tf.linalg.bandPart(tf.ones([length, length]), -1, 0) },
  });
  const differentiated = ['scores', 'weight', 'bias'] as const;
  const size = batch * channels * length * length;
  return [false, true].map((sparse) => ({
    op: 'multiTokenAttention',
    shape: `[${shape.join(', ')}], ${KERNEL} × ${KERNEL}${sparse ? ', sparse' : ''}`,
    timed: 'forward and backward',
    // Reads half of the scores, and writes y; then reads half of both, and writes one gradient.
    bytes: 3.5 * size * 4,
    // Three convolutions of half a map.
    operations: 3 * size * channels * KERNEL * KERNEL,
    stockBytes: 16 * size * 4,
    ours: forwardAndBackward(inputs, differentiated, ({ scores, weight, bias }) =>
      liger.multiTokenAttention(scores, weight, { bias, padding: 1, sparse }),
    ),
    ...(!sparse && {
      stock: forwardAndBackward(inputs, differentiated, ({ scores, weight, bias, sees }) =>
        stock(scores, weight, bias, sees),
      ),
    }),
  }));
}
