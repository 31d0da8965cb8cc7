import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { indices, noise } from '../harness/inputs.js';
import { stockScaledCrossEntropy } from './shared/stock_scaled_cross_entropy.js';

const TEMPERATURE = 0.7;

export function scaledCrossEntropy(quick: boolean): BenchCase[] {
  const [rows, vocabulary] = quick ? [32, 500] : [2048, 32000];
  const bytes = rows * vocabulary * 4;
  const inputs = () => ({
    logits: noise([rows, vocabulary], 1, 3),
    labels: indices([rows], vocabulary, 3),
    dy: noise([rows], 7),
  });
  return [
    {
      op: 'scaledCrossEntropy',
      shape: `${rows}×${vocabulary}, entropy`,
      timed: 'forward and backward',
      // Forward reads the logits, backward reads them and writes their gradient.
      bytes: 3 * bytes,
      stockBytes: 10 * bytes,
      ours: forwardAndBackward(inputs, ['logits'], ({ logits, labels }) => {
        const config = { temperature: TEMPERATURE, returnEntropy: true } as const;
        const { nll, entropy } = liger.scaledCrossEntropy(logits, labels, config);
        return tf.add(nll, entropy);
      }),
      stock: forwardAndBackward(inputs, ['logits'], ({ logits, labels }) =>
        stockScaledCrossEntropy(logits, labels, TEMPERATURE),
      ),
    },
  ];
}
