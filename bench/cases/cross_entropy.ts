import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { indices, noise } from '../harness/inputs.js';
import { stockCrossEntropy } from './shared/stock_cross_entropy.js';

export function crossEntropy(quick: boolean): BenchCase[] {
  // Vocabularies, then the classes of a classifier.
  const sizes: Array<[rows: number, classes: number, target?: number]> = quick
    ? [[32, 500]]
    : [
        [2048, 32000, 0.21],
        [2048, 128256, 0.8],
        [262144, 10],
        [262144, 1000],
      ];
  return sizes.map(([rows, classes, target]) => {
    const logits = rows * classes * 4;
    const inputs = () => ({ logits: noise([rows, classes], 1, 3), labels: indices([rows], classes, 3) });
    return {
      op: 'crossEntropy',
      shape: `${rows}×${classes}`,
      timed: 'forward and backward',
      target,
      // Forward reads the logits and the labels, backward reads them and writes the logits' gradient.
      bytes: 3 * logits + 2 * rows * 4,
      stockBytes: 8 * logits,
      ours: forwardAndBackward(inputs, ['logits'], ({ logits, labels }) => liger.crossEntropy(logits, labels)),
      stock: forwardAndBackward(inputs, ['logits'], ({ logits, labels }) => stockCrossEntropy(logits, labels)),
    };
  });
}
