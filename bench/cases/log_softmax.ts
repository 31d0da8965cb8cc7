import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';

export function logSoftmax(quick: boolean): BenchCase[] {
  const [rows, columns] = quick ? [64, 256] : [4096, 4096];
  const inputs = () => ({ x: noise([rows, columns], 1, 3), dy: noise([rows, columns], 3) });
  return [
    {
      op: 'logSoftmax',
      shape: `${rows}×${columns}`,
      timed: 'forward and backward',
      // Backward reads dy and y and writes dx.
      bytes: 5 * rows * columns * 4,
      ours: forwardAndBackward(inputs, ['x'], ({ x }) => liger.logSoftmax(x)),
      stock: forwardAndBackward(inputs, ['x'], ({ x }) => tf.logSoftmax(x)),
    },
  ];
}
