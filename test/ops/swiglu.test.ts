import { expect } from 'chai';
import { swiglu } from '../../src/index.js';
import { Swiglu, SwigluGrad } from '../../src/kernels/contracts/swiglu.js';
import {
  describeAgainstComposed,
  itDifferentiatesByName,
  oddSize,
  random,
  smallOddSize,
} from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('swiglu', ({ gate, up }, options) => ({ y: swiglu(gate!, up!, options) }));

describe('swiglu', () => {
  const attrs = { gateMultiplier: 1.5, downMultiplier: -0.5 };

  describeAgainstComposed(Swiglu, [smallOddSize, oddSize], (rows, length) => ({
    inputs: { gate: tf.mul(random([rows, length]), 8), up: random([rows, length], 2) },
    attrs,
  }));

  describeAgainstComposed(SwigluGrad, [smallOddSize, oddSize], (rows, length) => ({
    inputs: {
      dy: random([rows, length], 3),
      gate: tf.mul(random([rows, length]), 8),
      up: random([rows, length], 2),
    },
    attrs,
  }));

  it('is exact for gates of any size', async () => {
    await expectNoLeak(async () => {
      const gate = tf.tensor1d([-1e30, -100, 0, 100, 1e30]);
      const up = tf.ones([5]);
      const y = swiglu(gate, up);
      const dgate = tf.grad((t) => swiglu(t, up))(gate);
      await expectClose(y, [0, -100 * Math.exp(-100), 0, 100, 1e30], OUTPUT_TOLERANCE);
      await expectClose(dgate, [0, 0, 0.5, 1, 1], OUTPUT_TOLERANCE);
      tf.dispose([gate, up, y, dgate]);
    });
  });

  it('takes arrays, scalars and no rows', async () => {
    await expectNoLeak(async () => {
      const silu = (x: number) => x / (1 + Math.exp(-x));
      const vector = swiglu([1, -2, 3], [2, 3, 4]);
      const scalar = swiglu(1, 2, { downMultiplier: 3 });
      await expectClose(vector, [2 * silu(1), 3 * silu(-2), 4 * silu(3)], OUTPUT_TOLERANCE);
      await expectClose(scalar, [6 * silu(1)], OUTPUT_TOLERANCE);
      const none = tf.zeros([0, 8]);
      const y = swiglu(none, none);
      expect(y.shape).to.deep.equal([0, 8]);
      tf.dispose([vector, scalar, none, y]);
    });
  });

  itDifferentiatesByName(
    Swiglu,
    () => ({ inputs: { gate: random([3, 7]), up: random([3, 7], 2) }, attrs }),
    ({ gate, up }) => swiglu(gate!, up!, attrs),
  );
});
