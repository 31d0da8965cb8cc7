import { expect } from 'chai';
import { geglu } from '../../src/index.js';
import { Geglu, GegluGrad } from '../../src/kernels/contracts/geglu.js';
import {
  describeAgainstComposed,
  itDifferentiatesByName,
  oddSize,
  random,
  smallOddSize,
} from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('geglu', ({ gate, up }) => ({ y: geglu(gate!, up!) }));

describe('geglu', () => {
  describeAgainstComposed(Geglu, [smallOddSize, oddSize], (rows, length) => ({
    inputs: { gate: tf.mul(random([rows, length]), 4), up: random([rows, length], 2) },
    attrs: {},
  }));

  describeAgainstComposed(GegluGrad, [smallOddSize, oddSize], (rows, length) => ({
    inputs: {
      dy: random([rows, length], 3),
      gate: tf.mul(random([rows, length]), 4),
      up: random([rows, length], 2),
    },
    attrs: {},
  }));

  it('is exact for gates of any size', async () => {
    await expectNoLeak(async () => {
      const gate = tf.tensor1d([-1e30, -100, 0, 100, 1e30]);
      const up = tf.ones([5]);
      const y = geglu(gate, up);
      const dgate = tf.grad((t) => geglu(t, up))(gate);
      await expectClose(y, [0, 0, 0, 100, 1e30], OUTPUT_TOLERANCE);
      await expectClose(dgate, [0, 0, 0.5, 1, 1], OUTPUT_TOLERANCE);
      tf.dispose([gate, up, y, dgate]);
    });
  });

  it('takes arrays, scalars and no rows', async () => {
    await expectNoLeak(async () => {
      const gelu = (x: number) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
      const vector = geglu([1, -2, 3], [2, 3, 4]);
      const scalar = geglu(1, 2);
      await expectClose(vector, [2 * gelu(1), 3 * gelu(-2), 4 * gelu(3)], OUTPUT_TOLERANCE);
      await expectClose(scalar, [2 * gelu(1)], OUTPUT_TOLERANCE);
      const none = tf.zeros([0, 8]);
      const y = geglu(none, none);
      expect(y.shape).to.deep.equal([0, 8]);
      tf.dispose([vector, scalar, none, y]);
    });
  });

  itDifferentiatesByName(
    Geglu,
    () => ({ inputs: { gate: random([3, 7]), up: random([3, 7], 2) }, attrs: {} }),
    ({ gate, up }) => geglu(gate!, up!),
  );
});
