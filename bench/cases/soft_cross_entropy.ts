import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';

export function softCrossEntropy(quick: boolean): BenchCase[] {
  // A vocabulary, then the classes of a classifier.
  const sizes = quick
    ? [[32, 500]]
    : [
        [2048, 32000],
        [262144, 10],
      ];
  return (sizes as Array<[rows: number, classes: number]>).map(([rows, classes]) => {
    const inputs = () => ({
      logits: noise([rows, classes], 1, 3),
      targets: tf.softmax(noise([rows, classes], 3) as tf.Tensor2D),
    });
    return {
      op: 'softCrossEntropy',
      shape: `${rows}×${classes}`,
      timed: 'forward and backward',
      // Forward reads both, backward reads them again and writes the logits' gradient.
      bytes: 5 * rows * classes * 4,
      ours: forwardAndBackward(inputs, ['logits'], ({ logits, targets }) => liger.softCrossEntropy(logits, targets)),
      stock: forwardAndBackward(inputs, ['logits'], ({ logits, targets }) =>
        tf.losses.softmaxCrossEntropy(targets, logits),
      ),
    };
  });
}
