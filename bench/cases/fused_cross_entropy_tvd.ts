import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { indices, noise } from '../harness/inputs.js';
import { stockCrossEntropy } from './shared/stock_cross_entropy.js';

export function fusedCrossEntropyTvd(quick: boolean): BenchCase[] {
  const [rows, columns] = quick ? [64, 500] : [2048, 32000];
  const inputs = () => ({
    student: noise([rows, columns], 1),
    teacher: noise([rows, columns], 3),
    labels: indices([rows], columns, 5),
  });
  return [
    {
      op: 'fusedCrossEntropyTvd',
      shape: `${rows}×${columns}`,
      timed: 'forward and backward',
      // Both are read twice in the forward pass and once in the backward pass, which writes a gradient.
      bytes: 7 * rows * columns * 4,
      ours: forwardAndBackward(inputs, ['student'], ({ student, teacher, labels }) => {
        const { crossEntropy, tvd } = liger.fusedCrossEntropyTvd(student, teacher, labels);
        return tf.mul(tf.sum(tf.add(crossEntropy, tvd)), 1 / rows);
      }),
      stock: forwardAndBackward(inputs, ['student'], ({ student, teacher, labels }) => {
        const difference = tf.sub(tf.softmax(student), tf.softmax(teacher));
        return tf.add(stockCrossEntropy(student, labels), tf.mul(tf.sum(tf.abs(difference)), 0.5 / rows));
      }),
    },
  ];
}
