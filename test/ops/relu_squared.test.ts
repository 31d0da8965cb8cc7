import { expect } from 'chai';
import { reluSquared } from '../../src/index.js';
import { ReluSquared, ReluSquaredGrad } from '../../src/kernels/contracts/relu_squared.js';
import {
  describeAgainstComposed,
  itDifferentiatesByName,
  oddSize,
  random,
  smallOddSize,
} from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('reluSquared', ({ x }) => ({ y: reluSquared(x!) }));

describe('reluSquared', () => {
  describeAgainstComposed(ReluSquared, [smallOddSize, oddSize], (rows, length) => ({
    inputs: { x: random([rows, length]) },
    attrs: {},
  }));

  describeAgainstComposed(ReluSquaredGrad, [smallOddSize, oddSize], (rows, length) => ({
    inputs: { dy: random([rows, length], 2), x: random([rows, length]) },
    attrs: {},
  }));

  it('is 0 below 0, with its gradient, and takes arrays, scalars and no rows', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor1d([-1e30, -2, 0, 3, 1e10]);
      const [y, dx] = [reluSquared(x), tf.grad((t: tf.Tensor) => reluSquared(t))(x)];
      await expectClose(y, [0, 0, 0, 9, 1e20], OUTPUT_TOLERANCE);
      await expectClose(dx, [0, 0, 0, 6, 2e10], OUTPUT_TOLERANCE);
      const [vector, scalar] = [reluSquared([-1, 2]), reluSquared(4)];
      await expectClose(vector, [0, 4], OUTPUT_TOLERANCE);
      await expectClose(scalar, [16], OUTPUT_TOLERANCE);
      const none = tf.tidy(() => reluSquared(tf.zeros([0, 8])));
      expect(none.shape).to.deep.equal([0, 8]);
      tf.dispose([x, y, dx, vector, scalar, none]);
    });
  });

  itDifferentiatesByName(
    ReluSquared,
    () => ({ inputs: { x: random([3, 7]) }, attrs: {} }),
    ({ x }) => reluSquared(x!),
  );
});
