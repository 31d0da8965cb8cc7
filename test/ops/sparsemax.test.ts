import { expect } from 'chai';
import { sparsemax } from '../../src/index.js';
import { Sparsemax, SparsemaxGrad } from '../../src/kernels/contracts/sparsemax.js';
import { describeRowsAgainstComposed, itDifferentiatesByName, random, rowsOf } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectError, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('sparsemax', ({ x }, options) => ({ y: sparsemax(x!, options) }));

const forwardCall = (rows: number, length: number) => ({ inputs: { x: tf.mul(random([rows, length]), 2) }, attrs: {} });

const backwardCall = (rows: number, length: number) => ({
  inputs: { dy: random([rows, length], 2), y: sparsemax(tf.mul(random([rows, length]), 2)) },
  attrs: {},
});

describe('sparsemax', () => {
  describeRowsAgainstComposed([rowsOf(Sparsemax, forwardCall), rowsOf(SparsemaxGrad, backwardCall)], [[2, 9001]]);

  it('keeps its digits for large entries, and gives entries of −∞ the weight 0', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor2d([
        [1e8, 1e8, -1e8, -Infinity],
        [100.25, 100.5, 100, 99],
        [-Infinity, -Infinity, -5, -Infinity],
        [0.5, 0.5, 0.5, 0.5],
      ]);
      const y = sparsemax(x);
      await expectClose(
        y,
        [0.5, 0.5, 0, 0, 1 / 3, 1.75 / 3, 0.25 / 3, 0, 0, 0, 1, 0, 0.25, 0.25, 0.25, 0.25],
        OUTPUT_TOLERANCE,
      );
      tf.dispose([x, y]);
    });
  });

  it('takes any axis, arrays, and no rows', async () => {
    await expectNoLeak(async () => {
      const x = random([3, 4, 5]);
      const [first, alike] = tf.tidy(() => [
        sparsemax(x, { axis: 0 }),
        tf.transpose(sparsemax(tf.transpose(x, [1, 2, 0])), [2, 0, 1]),
      ]);
      await expectClose(first, alike, 0);
      const sums = tf.tidy(() => tf.sum(sparsemax(x, { axis: -2 }), 1));
      await expectClose(sums, new Array(15).fill(1), OUTPUT_TOLERANCE);
      const vector = sparsemax([0, 0.5]);
      await expectClose(vector, [0.25, 0.75], OUTPUT_TOLERANCE);
      const none = tf.tidy(() => sparsemax(tf.zeros([0, 8])));
      expect(none.shape).to.deep.equal([0, 8]);
      tf.dispose([x, first, alike, sums, vector, none]);
    });
  });

  it('names an axis that x does not have', () => {
    expectError(
      () => sparsemax([[1, 2]], { axis: 2 }),
      /^sparsemax: option 'axis' must be in \[-2, 1\] for x of rank 2, but got 2$/,
    );
  });

  itDifferentiatesByName(
    Sparsemax,
    () => ({ inputs: { x: random([3, 7]) }, attrs: {} }),
    ({ x }) => sparsemax(x!),
  );
});
