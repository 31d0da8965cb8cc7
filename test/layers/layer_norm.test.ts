import { expect } from 'chai';
import { layerNorm as op } from '../../src/index.js';
import { layerNorm } from '../../src/layers/index.js';
import { tf } from '../support/backend.js';
import { expectClose, OUTPUT_TOLERANCE } from '../support/golden.js';
import { describeLayer } from './describe_layer.js';

describeLayer({
  name: 'layerNorm',
  make: (args) => layerNorm({ epsilon: 1e-5, betaInitializer: 'ones', gammaRegularizer: 'l2', ...args }),
  inputShape: [3, 5],
  weights: { gamma: [5], beta: [5] },
  reference: (x, [gamma, beta]) => op(x, gamma!, beta!, { epsilon: 1e-5 }),
});

describe('layers.layerNorm', () => {
  it("is tfjs's layerNormalization, with its defaults", async () => {
    const x = tf.randomNormal([2, 3, 5], 1, 1, 'float32', 3);
    const own = layerNorm();
    const stock = tf.layers.layerNormalization();
    const [y, wanted] = [own.apply(x) as tf.Tensor, stock.apply(x) as tf.Tensor];
    await expectClose(y, wanted, 10 * OUTPUT_TOLERANCE);
    tf.dispose([x, y, wanted]);
    own.dispose();
    stock.dispose();
  });

  it('has no weight without center and scale, and makes no tensor that stays', async () => {
    const layer = layerNorm({ center: false, scale: false, epsilon: 1e-3 });
    const x = tf.tensor2d([[1, 2, 3, 6]]);
    const before = tf.memory().numTensors;
    const y = layer.apply(x) as tf.Tensor;
    expect(tf.memory().numTensors, 'tensors').to.equal(before + 1);
    expect(layer.weights).to.deep.equal([]);
    const root = Math.sqrt(3.5 + 1e-3);
    await expectClose(
      y,
      [-2, -1, 0, 3].map((difference) => difference / root),
      OUTPUT_TOLERANCE,
    );
    tf.dispose([x, y]);
    layer.dispose();
  });
});
