import { polyNorm as op } from '../../src/index.js';
import { polyNorm } from '../../src/layers/index.js';
import { tf } from '../support/backend.js';
import { expectClose, OUTPUT_TOLERANCE } from '../support/golden.js';
import { describeLayer } from './describe_layer.js';

describeLayer({
  name: 'polyNorm',
  make: (args) => polyNorm({ epsilon: 1e-5, biasInitializer: 'zeros', ...args }),
  inputShape: [3, 5],
  weights: { weight: [3], bias: [] },
  reference: (x, [weight, bias]) => op(x, weight!, bias!, { epsilon: 1e-5 }),
});

describe('layers.polyNorm', () => {
  it('begins with a third of each power, and 1', async () => {
    const layer = polyNorm();
    layer.apply(tf.input({ shape: [5] }));
    const [weight, bias] = layer.getWeights();
    await expectClose(weight!, [1 / 3, 1 / 3, 1 / 3], OUTPUT_TOLERANCE);
    await expectClose(bias!, 1, 0);
    layer.dispose();
  });
});
