import { expect } from 'chai';
import { dyt as op } from '../../src/index.js';
import { dyt } from '../../src/layers/index.js';
import { tf } from '../support/backend.js';
import { expectClose, OUTPUT_TOLERANCE } from '../support/golden.js';
import { describeLayer } from './describe_layer.js';

describeLayer({
  name: 'dyt',
  make: (args) => dyt({ alpha: 0.25, ...args }),
  inputShape: [3, 5],
  weights: { alpha: [1], gamma: [5], beta: [5] },
  reference: (x, [alpha, gamma, beta]) => op(x, alpha!, gamma!, { beta: beta! }),
});

describe('layers.dyt', () => {
  it('is tanh(x / 2) at first, and has no weight but alpha without center and scale', async () => {
    const layer = dyt({ center: false, scale: false });
    const x = tf.tensor2d([[-1, 0, 4]]);
    const y = layer.apply(x) as tf.Tensor;
    expect(layer.weights.map(({ shape }) => shape)).to.deep.equal([[1]]);
    await expectClose(
      y,
      [-1, 0, 4].map((value) => Math.tanh(value / 2)),
      OUTPUT_TOLERANCE,
    );
    tf.dispose([x, y]);
    layer.dispose();
  });
});
