import { expect } from 'chai';
import fc from 'fast-check';
import { gelu } from '../../src/index.js';
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

describeGolden('gelu', ({ x }, options) => ({ y: gelu(x!, options) }));

describe('gelu', () => {
  describeAgainstComposed(
    Activate,
    [smallOddSize, oddSize, fc.constantFrom('gelu' as const, 'geluTanh' as const)],
    (rows, length, activation) => ({ inputs: { x: tf.mul(random([rows, length]), 5) }, attrs: { activation } }),
  );

  for (const approximate of ['none', 'tanh'] as const) {
    it(`is x or 0 far from 0, with its gradient, and takes arrays, scalars and no rows: ${approximate}`, async () => {
      await expectNoLeak(async () => {
        const run = (x: tf.Tensor | number | number[]) => gelu(x, { approximate });
        const x = tf.tensor1d([-1e30, -100, 0, 100, 1e30]);
        const [y, dx] = [run(x), tf.grad((t: tf.Tensor) => run(t))(x)];
        await expectClose(y, [0, 0, 0, 100, 1e30], OUTPUT_TOLERANCE);
        await expectClose(dx, [0, 0, 0.5, 1, 1], GRADIENT_TOLERANCE);
        const [vector, scalar] = [run([0, 20]), run(30)];
        await expectClose(vector, [0, 20], OUTPUT_TOLERANCE);
        await expectClose(scalar, [30], OUTPUT_TOLERANCE);
        const none = tf.tidy(() => run(tf.zeros([0, 8])));
        expect(none.shape).to.deep.equal([0, 8]);
        tf.dispose([x, y, dx, vector, scalar, none]);
      });
    });
  }

  itDifferentiatesByName(
    Activate,
    () => ({ inputs: { x: random([3, 7]) }, attrs: { activation: 'geluTanh' } }),
    ({ x }) => gelu(x!, { approximate: 'tanh' }),
  );
});
