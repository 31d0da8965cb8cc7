import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';

function stock(logQ: tf.Tensor, logP: tf.Tensor): tf.Tensor {
  const [p, q] = [tf.exp(logP), tf.exp(logQ)];
  const logM = tf.log(tf.mul(tf.add(p, q), 0.5));
  const terms = tf.add(tf.mul(p, tf.sub(logP, logM)), tf.mul(q, tf.sub(logQ, logM)));
  return tf.mul(tf.sum(terms), 0.5 / logQ.shape[0]!);
}

export function jsd(quick: boolean): BenchCase[] {
  const [rows, columns] = quick ? [64, 500] : [2048, 32000];
  const logProbabilities = (seed: number) => tf.logSoftmax(noise([rows, columns], seed) as tf.Tensor2D);
  const inputs = () => ({ logQ: logProbabilities(1), logP: logProbabilities(3) });
  return [
    {
      op: 'jsd',
      shape: `${rows}×${columns}`,
      timed: 'forward and backward',
      // Each pass reads both, and backward writes a gradient.
      bytes: 5 * rows * columns * 4,
      ours: forwardAndBackward(inputs, ['logQ'], ({ logQ, logP }) => liger.jsd(logQ, logP)),
      stock: forwardAndBackward(inputs, ['logQ'], ({ logQ, logP }) => stock(logQ, logP)),
    },
  ];
}
