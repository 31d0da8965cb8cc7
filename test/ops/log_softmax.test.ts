import { expect } from 'chai';
import { runKernel } from '../../src/engine/run_kernel.js';
import { logSoftmax } from '../../src/index.js';
import { LogSoftmax, LogSoftmaxGrad } from '../../src/kernels/contracts/log_softmax.js';
import { describeRowsAgainstComposed, itDifferentiatesByName, random, rowsOf } from '../support/against_composed.js';
import { backendName, skip, tf } from '../support/backend.js';
import { describeGolden, expectClose, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('logSoftmax', ({ x }, options) => ({ y: logSoftmax(x!, options) }));

const forwardCall = (rows: number, length: number) => ({ inputs: { x: tf.mul(random([rows, length]), 8) }, attrs: {} });

const backwardCall = (rows: number, length: number) => ({
  inputs: { dy: random([rows, length], 2), y: tf.logSoftmax(random([rows, length])) },
  attrs: {},
});

describe('logSoftmax', () => {
  describeRowsAgainstComposed(
    [rowsOf(LogSoftmax, forwardCall), rowsOf(LogSoftmaxGrad, backwardCall)],
    [
      [2, 40000],
      [3, 40001],
    ],
  );

  it('does not overflow, and leaves entries of −∞ as they are', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor2d([
        [1e38, 1e38, 0, -Infinity],
        [-Infinity, 2, 2, -Infinity],
        [-Infinity, -Infinity, 5, -Infinity],
      ]);
      const [y, dx] = [logSoftmax(x), tf.grad((t) => logSoftmax(t))(x)];
      const [half, none] = [-Math.LN2, -Infinity];
      await expectClose(y, [half, half, -1e38, none, none, half, half, none, none, none, 0, none], OUTPUT_TOLERANCE);
      await expectClose(dx, [-1, -1, 1, 1, 1, -1, -1, 1, 1, 1, -3, 1], GRADIENT_TOLERANCE);
      tf.dispose([x, y, dx]);
    });
  });

  it('is NaN throughout a row of nothing but −∞, short or long, and only there', async function () {
    if (backendName === 'webgl') skip(this, "tfjs's own, which it is there, knows no maximum below -1e20");
    await expectNoLeak(async () => {
      for (const length of [5, 8, 40000]) {
        const x = tf.tidy(() => tf.concat([tf.fill([1, length], -Infinity), tf.zeros([1, length])]));
        const y = logSoftmax(x);
        const values = await y.data();
        expect(values.findIndex((value) => !Number.isNaN(value))).to.equal(length);
        await expectClose(values.slice(length), Array(length).fill(-Math.log(length)), OUTPUT_TOLERANCE);
        tf.dispose([x, y]);
      }
    });
  });

  it('takes arrays, no rows, and a vector, with its gradient', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor1d([0, Math.log(3)]);
      const [vector, dx] = [logSoftmax([0, Math.log(3)]), tf.grad((t) => tf.sum(tf.square(logSoftmax(t))))(x)];
      await expectClose(vector, [-Math.log(4), Math.log(0.75)], OUTPUT_TOLERANCE);
      const slope = 2 * (-Math.log(4) - (-Math.log(4) + Math.log(0.75)) / 4);
      await expectClose(dx, [slope, -slope], GRADIENT_TOLERANCE);
      const none = tf.tidy(() => logSoftmax(tf.zeros([0, 8])));
      expect(none.shape).to.deep.equal([0, 8]);
      const { dx: ofNone } = runKernel(LogSoftmaxGrad, { dy: none, y: none }, {});
      await expectClose(ofNone, none, 0);
      tf.dispose([x, vector, dx, none, ofNone]);
    });
  });

  itDifferentiatesByName(
    LogSoftmax,
    () => ({ inputs: { x: random([3, 8]) }, attrs: {} }),
    ({ x }) => logSoftmax(x!),
  );
});
