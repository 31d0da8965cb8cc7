import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';

export function reluSquared(quick: boolean): BenchCase[] {
  const shape = quick ? [64, 256] : [4096, 4096];
  const inputs = () => ({ x: noise(shape, 1), dy: noise(shape, 3) });
  return [
    {
      op: 'reluSquared',
      shape: shape.join('×'),
      timed: 'forward and backward',
      // Forward reads one and writes one, backward reads two and writes one.
      bytes: 5 * shape[0]! * shape[1]! * 4,
      ours: forwardAndBackward(inputs, ['x'], ({ x }) => liger.reluSquared(x)),
      stock: forwardAndBackward(inputs, ['x'], ({ x }) => tf.square(tf.relu(x))),
    },
  ];
}
