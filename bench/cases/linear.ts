import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward, onInputs } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';

export function linear(quick: boolean): BenchCase[] {
  const size = quick ? 128 : 4096;
  const square = () => ({ x: noise([size, size], 1), weight: noise([size, size], 3) });
  // A feed-forward layer's first half.
  const [rows, from, to] = quick ? [64, 32, 128] : [4096, 768, 3072];
  const layer = () => ({
    x: noise([rows, from], 1),
    weight: noise([to, from], 3, 0.02),
    bias: noise([to], 5),
    dy: noise([rows, to], 7),
  });
  return [
    {
      op: 'linear',
      shape: `${size}×${size}×${size}`,
      timed: 'forward',
      target: quick ? undefined : 2.95,
      operations: 2 * size ** 3,
      bytes: 3 * size ** 2 * 4,
      ours: onInputs(square, ({ x, weight }) => [liger.linear(x, weight)]),
      stock: onInputs(square, ({ x, weight }) => [tf.matMul(x, weight, false, true)]),
    },
    {
      op: 'linear',
      shape: `${rows}×${from}×${to}, bias`,
      timed: 'forward and backward',
      target: quick ? undefined : 1.35,
      operations: 6 * rows * from * to,
      ours: forwardAndBackward(layer, ['x', 'weight', 'bias'], ({ x, weight, bias }) =>
        liger.linear(x, weight, { bias }),
      ),
      stock: forwardAndBackward(layer, ['x', 'weight', 'bias'], ({ x, weight, bias }) =>
        tf.add(tf.matMul(x, weight, false, true), bias),
      ),
    },
  ];
}
