import { rotaryEmbedding } from '../../src/layers/index.js';
import { tf } from '../support/backend.js';
import { expectClose, expectError, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';
import { describeLayer } from './describe_layer.js';
import { referenceRotation } from './reference_attention.js';

describeLayer({
  name: 'rotaryEmbedding',
  make: (args) => rotaryEmbedding({ maxWavelength: 100, scalingFactor: 2, ...args }),
  inputShape: [5, 3, 4],
  weights: {},
  reference: (x) => referenceRotation(x, 100, 0, 2),
});

describeLayer({
  name: 'rotaryEmbedding',
  make: (args) => rotaryEmbedding({ sequenceAxis: 2, ...args }),
  inputShape: [3, 5, 4],
  weights: {},
  reference: (x) => tf.transpose(referenceRotation(tf.transpose(x, [0, 2, 1, 3]), 10000), [0, 2, 1, 3]),
});

describe('layers.rotaryEmbedding', () => {
  const x = () => tf.randomNormal([2, 3, 6], 0, 1, 'float32', 1);

  it('rotates without heads, from a start index on, and has a gradient', async () => {
    const layer = rotaryEmbedding();
    const dy = tf.randomNormal([2, 3, 6], 0, 1, 'float32', 2);
    const gradientOf = (f: (x: tf.Tensor) => tf.Tensor) => tf.grad((x) => tf.sum(tf.mul(f(x), dy)))(x());
    for (const startIndex of [0, 4]) {
      const turned = (x: tf.Tensor) => layer.apply(x, { startIndex }) as tf.Tensor;
      const reference = (x: tf.Tensor) =>
        tf.reshape(referenceRotation(tf.reshape(x, [2, 3, 1, 6]), 10000, startIndex), [2, 3, 6]);
      await expectClose(turned(x()), reference(x()), OUTPUT_TOLERANCE);
      await expectClose(gradientOf(turned), gradientOf(reference), GRADIENT_TOLERANCE);
    }
  });

  it('says which inputs it takes', () => {
    expectError(
      () => rotaryEmbedding().build([null, 3]),
      /the input must be \[B, T, D\] or \[B, T, heads, D\], but has 2/,
    );
    expectError(
      () => rotaryEmbedding({ sequenceAxis: 2 }).build([null, 3, 4]),
      /must be \[B, heads, T, D\], but has 3/,
    );
    expectError(() => rotaryEmbedding().build([null, 3, 5]), /last dimension must be even, but is 5/);
  });
});
