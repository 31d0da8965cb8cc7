import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, onInputs, valueAndGradients } from '../harness/bench_case.js';
import { indices, noise } from '../harness/inputs.js';

export function stockCrossEntropy(logits: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  const oneHot = tf.oneHot(labels, logits.shape.at(-1)!, 1, 0, 'float32');
  return tf.losses.softmaxCrossEntropy(oneHot, logits);
}

export function crossEntropy(quick: boolean): BenchCase[] {
  const sizes = quick ? [[32, 500, undefined] as const] : [[2048, 32000, 0.35] as const, [2048, 128256, 1.25] as const];
  return sizes.map(([rows, vocabulary, target]) => {
    const logits = rows * vocabulary * 4;
    const inputs = () => ({ logits: noise([rows, vocabulary], 1, 3), labels: indices([rows], vocabulary, 3) });
    return {
      op: 'crossEntropy',
      shape: `${rows}×${vocabulary}`,
      timed: 'forward and backward',
      target,
      // Forward reads the logits, backward reads them and writes their gradient.
      bytes: 3 * logits,
      stockBytes: 8 * logits,
      ours: onInputs(inputs, (given) =>
        valueAndGradients(() => liger.crossEntropy(given.logits, given.labels), [given.logits]),
      ),
      stock: onInputs(inputs, (given) =>
        valueAndGradients(() => stockCrossEntropy(given.logits, given.labels), [given.logits]),
      ),
    };
  });
}
