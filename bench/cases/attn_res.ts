import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise, scales } from '../harness/inputs.js';

function stock(v: tf.Tensor, wQuery: tf.Tensor, wNorm: tf.Tensor): tf.Tensor {
  const keys = tf.mul(tf.mul(v, tf.rsqrt(tf.add(tf.mean(tf.square(v), -1, true), 1e-6))), wNorm);
  const scores = tf.sum(tf.mul(keys, wQuery), -1);
  const alpha = tf.transpose(tf.softmax(tf.transpose(scores, [1, 2, 0])), [2, 0, 1]);
  return tf.sum(tf.mul(tf.expandDims(alpha, -1), v), 0);
}

export function attnRes(quick: boolean): BenchCase[] {
  const [blocks, tokens, columns] = quick ? [4, 64, 256] : [8, 4096, 1024];
  const inputs = () => ({
    ...{ v: noise([blocks, 1, tokens, columns], 1), wQuery: noise([columns], 3), wNorm: scales(columns, 5) },
    dy: noise([1, tokens, columns], 7),
  });
  const differentiated = ['v', 'wQuery', 'wNorm'] as const;
  return [
    {
      op: 'attnRes',
      shape: `${blocks}×${tokens}×${columns}`,
      timed: 'forward and backward',
      // Forward reads v and writes y, backward reads v and dy and writes dv.
      bytes: (3 * blocks + 2) * tokens * columns * 4,
      ours: forwardAndBackward(inputs, differentiated, ({ v, wQuery, wNorm }) => liger.attnRes(v, wQuery, wNorm)),
      stock: forwardAndBackward(inputs, differentiated, ({ v, wQuery, wNorm }) => stock(v, wQuery, wNorm)),
    },
  ];
}
