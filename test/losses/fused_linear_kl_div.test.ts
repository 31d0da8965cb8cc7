import { fusedLinearKlDiv } from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectNoLeak, GRADIENT_TOLERANCE } from '../support/golden.js';

describeGolden('fusedLinearKlDiv', ({ x, weight, target, ...tensors }, options) => ({
  loss: fusedLinearKlDiv(x!, weight!, target!, { ...options, ...tensors }),
}));

describe('fusedLinearKlDiv', () => {
  it('adds up the gradients of a tensor that is both x and weight', async () => {
    await expectNoLeak(async () => {
      const [x, target] = [random([4, 3]), tf.tidy(() => tf.softmax(random([4, 4], 2)))];
      const [both] = tf.grads((x) => fusedLinearKlDiv(x!, x!, target))([x]);
      const weight = tf.clone(x);
      const [dx, dweight] = tf.grads((x, weight) => fusedLinearKlDiv(x!, weight!, target))([x, weight]);
      const sum = tf.add(dx!, dweight!);
      await expectClose(both!, sum, GRADIENT_TOLERANCE);
      tf.dispose([x, target, both!, weight, dx!, dweight!, sum]);
    });
  });
});
