import { expect } from 'chai';
import { packedSwiglu, swiglu } from '../../src/index.js';
import { PackedSwiglu, PackedSwigluGrad } from '../../src/kernels/contracts/packed_swiglu.js';
import {
  describeAgainstComposed,
  itDifferentiatesByName,
  oddSize,
  random,
  smallOddSize,
} from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { expectClose, expectError, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';

describe('packedSwiglu', () => {
  const attrs = { gateMultiplier: 1.5, downMultiplier: 0.5 };

  describeAgainstComposed(PackedSwiglu, [smallOddSize, oddSize], (rows, width) => ({
    inputs: { gateUp: tf.mul(random([rows, 2 * width]), 4) },
    attrs,
  }));

  describeAgainstComposed(PackedSwigluGrad, [smallOddSize, oddSize], (rows, width) => ({
    inputs: { dy: random([rows, width], 2), gateUp: tf.mul(random([rows, 2 * width]), 4) },
    attrs,
  }));

  for (const width of [6, 8]) {
    it(`is swiglu of halves of ${width}`, async () => {
      await expectNoLeak(async () => {
        const gateUp = random([3, 2, 2 * width]);
        const both = (f: (x: tf.Tensor) => tf.Tensor) =>
          tf.tidy(() => [f(gateUp), tf.grad((x: tf.Tensor) => tf.square(f(x)))(gateUp)]);
        const actual = both((x) => packedSwiglu(x, attrs));
        const expected = both((x) => swiglu(...(tf.split(x, 2, -1) as [tf.Tensor, tf.Tensor]), attrs));
        await expectClose(actual[0]!, expected[0]!, OUTPUT_TOLERANCE);
        await expectClose(actual[1]!, expected[1]!, GRADIENT_TOLERANCE);
        tf.dispose([gateUp, actual, expected]);
      });
    });
  }

  it('takes arrays and no rows, and refuses an odd width', async () => {
    await expectNoLeak(async () => {
      const y = packedSwiglu([0, 1, 5, 2]);
      await expectClose(y, [0, 2 / (1 + Math.exp(-1))], OUTPUT_TOLERANCE);
      const none = tf.tidy(() => packedSwiglu(tf.zeros([0, 8])));
      expect(none.shape).to.deep.equal([0, 4]);
      expectError(
        () => packedSwiglu([1, 2, 3]),
        /^packedSwiglu: gateUp must be of a shape whose last dimension is even, but got a float32 tensor of shape \[3\]$/,
      );
      tf.dispose([y, none]);
    });
  });

  itDifferentiatesByName(
    PackedSwiglu,
    () => ({ inputs: { gateUp: random([3, 14]) }, attrs }),
    ({ gateUp }) => packedSwiglu(gateUp!, attrs),
  );
});
