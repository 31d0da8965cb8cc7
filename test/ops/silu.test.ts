import { expect } from 'chai';
import { silu } from '../../src/index.js';
import { Activate } from '../../src/kernels/contracts/activate.js';
import {
  describeAgainstComposed,
  itDifferentiatesByName,
  oddSize,
  random,
  smallOddSize,
} from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('silu', ({ x }) => ({ y: silu(x!) }));

describe('silu', () => {
  describeAgainstComposed(Activate, [smallOddSize, oddSize], (rows, length) => ({
    inputs: { x: tf.mul(random([rows, length]), 5) },
    attrs: { activation: 'silu' as const },
  }));

  it('is x or 0 far from 0, with its gradient, and takes arrays, scalars and no rows', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor1d([-1e30, -200, 0, 200, 1e30]);
      const [y, dx] = [silu(x), tf.grad((t: tf.Tensor) => silu(t))(x)];
      await expectClose(y, [0, 0, 0, 200, 1e30], OUTPUT_TOLERANCE);
      await expectClose(dx, [0, 0, 0.5, 1, 1], GRADIENT_TOLERANCE);
      const [vector, scalar] = [silu([0, 50]), silu(60)];
      await expectClose(vector, [0, 50], OUTPUT_TOLERANCE);
      await expectClose(scalar, [60], OUTPUT_TOLERANCE);
      const none = tf.tidy(() => silu(tf.zeros([0, 8])));
      expect(none.shape).to.deep.equal([0, 8]);
      tf.dispose([x, y, dx, vector, scalar, none]);
    });
  });

  itDifferentiatesByName(
    Activate,
    () => ({ inputs: { x: random([3, 7]) }, attrs: { activation: 'silu' } }),
    ({ x }) => silu(x!),
  );
});
