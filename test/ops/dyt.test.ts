import { expect } from 'chai';
import { dyt } from '../../src/index.js';
import { Dyt, DytGrad } from '../../src/kernels/contracts/dyt.js';
import { describeRowsAgainstComposed, itDifferentiatesByName, random, rowsOf } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('dyt', ({ x, alpha, gamma, beta }) => ({ y: dyt(x!, alpha!, gamma!, { beta }) }));

const forwardCall = (rows: number, columns: number) => ({
  inputs: {
    x: tf.mul(random([rows, columns]), 4),
    alpha: tf.tensor1d([0.7]),
    gamma: random([columns], 2),
    beta: random([columns], 3),
  },
  attrs: {},
});

const backwardCall = (rows: number, columns: number) => ({
  inputs: {
    // Of x's signs, so that the terms of dalpha, one sum over all elements, do not cancel each other.
    dy: random([rows, columns]),
    x: tf.mul(random([rows, columns]), 4),
    alpha: tf.tensor1d([0.7]),
    gamma: tf.add(random([columns], 2), 1.5),
  },
  attrs: {},
});

describe('dyt', () => {
  describeRowsAgainstComposed(
    [rowsOf(Dyt, forwardCall), rowsOf(DytGrad, backwardCall)],
    [
      [1, 33000],
      [2, 33001],
      [1030, 12],
    ],
  );

  it('takes arrays, no rows, and a vector without beta', async () => {
    await expectNoLeak(async () => {
      const vector = dyt([0, 1], [2], [3, 4]);
      await expectClose(vector, [0, 4 * Math.tanh(2)], OUTPUT_TOLERANCE);
      const none = tf.tidy(() => dyt(tf.zeros([0, 8]), [1], tf.ones([8])));
      expect(none.shape).to.deep.equal([0, 8]);
      tf.dispose([vector, none]);
    });
  });

  itDifferentiatesByName(
    Dyt,
    () => ({ inputs: { x: random([3, 8]), alpha: tf.tensor1d([0.5]), gamma: random([8], 2) }, attrs: {} }),
    ({ x, alpha, gamma }) => dyt(x!, alpha!, gamma!),
    // WebGL takes a tensor of one number as a uniform, and later as a texture.
    GRADIENT_TOLERANCE,
  );
});
