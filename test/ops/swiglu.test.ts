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
import { describeGolden, expectClose, expectError, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

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

  it('names what is wrong', () => {
    const gate = tf.ones([2, 8]);
    const short = tf.ones([2, 7]);
    expectError(
      () => swiglu(gate, short),
      /^swiglu: up must have shape \[\.\.\.\] = \[2,8\] \(as gate says\), but got a float32 tensor of shape \[2,7\]$/,
    );
    expectError(
      () => swiglu(gate, gate, { gateMultiplyer: 1 } as never),
      /^swiglu: unknown option 'gateMultiplyer'; did you mean 'gateMultiplier'\?$/,
    );
    expectError(() => swiglu(gate, gate, { downMultiplier: Number.NaN }), /downMultiplier' must be a finite number/);
    expectError(() => swiglu(gate, undefined as never), /^swiglu: up must be a float32 tensor, but got undefined$/);
    tf.dispose([gate, short]);
  });
});
