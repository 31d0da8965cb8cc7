import { fusedLinearKlDiv } from '../../src/index.js';
import { describeGolden } from '../support/golden.js';

describeGolden('fusedLinearKlDiv', ({ x, weight, target, ...tensors }, options) => ({
  loss: fusedLinearKlDiv(x!, weight!, target!, { ...options, ...tensors }),
}));
