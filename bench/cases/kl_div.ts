import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';

const stock = (input: tf.Tensor, target: tf.Tensor): tf.Tensor =>
  tf.mul(tf.sum(tf.mul(target, tf.sub(tf.log(target), input))), 1 / input.shape[0]!);

export function klDiv(quick: boolean): BenchCase[] {
  const [rows, columns] = quick ? [64, 500] : [2048, 32000];
  const inputs = () => ({
    input: tf.logSoftmax(noise([rows, columns], 1) as tf.Tensor2D),
    target: tf.softmax(noise([rows, columns], 3) as tf.Tensor2D),
  });
  return [
    {
      op: 'klDiv',
      shape: `${rows}×${columns}`,
      timed: 'forward and backward',
      // Forward reads both, backward reads the target and writes a gradient.
      bytes: 4 * rows * columns * 4,
      ours: forwardAndBackward(inputs, ['input'], ({ input, target }) =>
        liger.klDiv(input, target, { reduction: 'batchmean' }),
      ),
      stock: forwardAndBackward(inputs, ['input'], ({ input, target }) => stock(input, target)),
    },
  ];
}
