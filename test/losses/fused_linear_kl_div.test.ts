import { fusedLinearKlDiv } from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectNoLeak, GRADIENT_TOLERANCE } from '../support/golden.js';

describeGolden('fusedLinearKlDiv', ({ x, weight, target, ...tensors }, options) => ({
  loss: fusedLinearKlDiv(x!, weight!, target!, { ...options, ...tensors }),
}));

describe('fusedLinearKlDiv', () => {
  it('takes hidden states of one feature', async () => {
    await expectNoLeak(async () => {
      const [x, weight, target] = [random([5, 1]), random([4, 1], 2), tf.tidy(() => tf.softmax(random([5, 4], 3)))];
      const actual = tf.grads((x, weight) => fusedLinearKlDiv(x!, weight!, target))([x, weight]);
      // The same with a feature that is 0.
      const [x2, weight2] = [x, weight].map((one) =>
        tf.pad(one as tf.Tensor2D, [
          [0, 0],
          [0, 1],
        ]),
      );
      const wide = tf.grads((x, weight) => fusedLinearKlDiv(x!, weight!, target))([x2!, weight2!]);
      const expected = wide.map((gradient) => tf.slice(gradient, [0, 0], [-1, 1]));
      for (const [i, gradient] of actual.entries()) await expectClose(gradient, expected[i]!, GRADIENT_TOLERANCE);
      tf.dispose([x, weight, target, x2!, weight2!, ...actual, ...wide, ...expected]);
    });
  });

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
