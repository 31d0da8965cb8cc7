import { expect } from 'chai';
import { groupNorm as op } from '../../src/index.js';
import { groupNorm } from '../../src/layers/index.js';
import { tf } from '../support/backend.js';
import { expectClose, expectError, OUTPUT_TOLERANCE } from '../support/golden.js';
import { describeLayer } from './describe_layer.js';

describeLayer({
  name: 'groupNorm',
  make: (args) => groupNorm({ groups: 2, epsilon: 1e-4, dataFormat: 'channelsFirst', ...args }),
  inputShape: [6, 3, 2],
  weights: { gamma: [6], beta: [6] },
  reference: (x, [gamma, beta]) => op(x, gamma!, beta!, { numGroups: 2, epsilon: 1e-4, dataFormat: 'channelsFirst' }),
});

describe('layers.groupNorm', () => {
  it('normalizes each channel by itself with -1 groups, and has no weight without center and scale', async () => {
    const layer = groupNorm({ groups: -1, center: false, scale: false });
    const x = tf.randomNormal([2, 4, 3], 0, 1, 'float32', 3);
    const y = layer.apply(x) as tf.Tensor;
    expect(layer.weights).to.deep.equal([]);
    const wanted = tf.tidy(() => {
      const { mean, variance } = tf.moments(x, 1, true);
      return tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-3)));
    });
    await expectClose(y, wanted, OUTPUT_TOLERANCE);
    tf.dispose([x, y, wanted]);
    layer.dispose();
  });

  it('has 32 groups, which must divide the channels', () => {
    expectError(
      () => groupNorm().build([null, 2, 48]),
      /option 'groups' must divide the input's 48 channels, but got 32/,
    );
    expectError(() => groupNorm({ groups: 0 }).build([null, 48]), /option 'groups' must divide/);
  });
});
