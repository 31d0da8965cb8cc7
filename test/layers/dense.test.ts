import { expect } from 'chai';
import { linear } from '../../src/index.js';
import { type DenseLayerArgs, dense } from '../../src/layers/index.js';
import { tf } from '../support/backend.js';
import { expectClose, expectError, OUTPUT_TOLERANCE } from '../support/golden.js';
import { describeLayer } from './describe_layer.js';

describeLayer({
  name: 'dense',
  make: (args) =>
    dense({
      units: 4,
      activation: 'geluTanh',
      biasInitializer: 'ones',
      biasConstraint: 'nonNeg',
      kernelRegularizer: 'l2',
      ...args,
    }),
  inputShape: [3, 5],
  weights: { kernel: [5, 4], bias: [4] },
  reference: (x, [kernel, bias]) => linear(x, kernel!, { bias: bias!, activation: 'geluTanh', transposeWeight: true }),
});

describe('layers.dense', () => {
  for (const activation of ['linear', 'relu', 'gelu', 'swish'] as const) {
    it(`is tfjs's dense with the activation '${activation}'`, async () => {
      const own = dense({ units: 4, activation, biasInitializer: 'ones' });
      const x = tf.randomNormal([2, 5], 0, 1, 'float32', 3);
      const y = own.apply(x) as tf.Tensor;
      const stock = tf.layers.dense({ units: 4, activation, weights: own.getWeights() });
      const wanted = stock.apply(x) as tf.Tensor;
      // tfjs's erf is good to 1e-7 of 1, which some of its backends' gelu shows.
      await expectClose(y, wanted, activation === 'gelu' ? 1e-5 : OUTPUT_TOLERANCE);
      tf.dispose([x, y, wanted]);
      own.dispose();
      stock.dispose();
    });
  }

  it('has no bias without useBias', () => {
    const layer = dense({ units: 2, useBias: false });
    layer.apply(tf.input({ shape: [3] }));
    expect(layer.weights.map(({ shape }) => shape)).to.deep.equal([[3, 2]]);
    layer.dispose();
  });

  it('needs units', () => {
    expectError(() => dense({} as DenseLayerArgs), /layers\.dense: option 'units' must be an integer of at least 1/);
  });
});
