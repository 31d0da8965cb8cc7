import { expect } from 'chai';
import { rmsNorm as op } from '../../src/index.js';
import { rmsNorm } from '../../src/layers/index.js';
import { expectError } from '../support/golden.js';
import { describeLayer } from './describe_layer.js';

describeLayer({
  name: 'rmsNorm',
  make: (args) => rmsNorm({ epsilon: 1e-5, offset: 1, gammaInitializer: 'zeros', ...args }),
  inputShape: [3, 5],
  weights: { gamma: [5] },
  reference: (x, [gamma]) => op(x, gamma, { epsilon: 1e-5, offset: 1 }),
});

describe('layers.rmsNorm', () => {
  it('has no weight without scale', () => {
    const layer = rmsNorm({ scale: false });
    layer.build([2, 3]);
    expect(layer.weights).to.deep.equal([]);
  });

  it('needs to know how long rows are', () => {
    expectError(() => rmsNorm().build([null, null]), /layers\.rmsNorm: the input's last dimension must be known/);
  });
});
