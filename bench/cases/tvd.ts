import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';

const stock = (p: tf.Tensor, q: tf.Tensor): tf.Tensor => tf.mul(tf.sum(tf.abs(tf.sub(p, q))), 0.5 / p.shape[0]!);

export function tvd(quick: boolean): BenchCase[] {
  const [rows, columns] = quick ? [64, 500] : [2048, 32000];
  const probabilities = (seed: number) => tf.softmax(noise([rows, columns], seed) as tf.Tensor2D);
  const inputs = () => ({ p: probabilities(1), q: probabilities(3) });
  return [
    {
      op: 'tvd',
      shape: `${rows}×${columns}`,
      timed: 'forward and backward',
      // Each pass reads both, and backward writes a gradient.
      bytes: 5 * rows * columns * 4,
      ours: forwardAndBackward(inputs, ['p'], ({ p, q }) => liger.tvd(p, q, { reduction: 'batchmean' })),
      stock: forwardAndBackward(inputs, ['p'], ({ p, q }) => stock(p, q)),
    },
  ];
}
