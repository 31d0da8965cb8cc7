import { expect } from 'chai';
import { runKernel } from '../../src/engine/run_kernel.js';
import { softmax } from '../../src/index.js';
import { Softmax, SoftmaxGrad } from '../../src/kernels/contracts/softmax.js';
import { describeRowsAgainstComposed, itDifferentiatesByName, random, rowsOf } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('softmax', ({ x }, options) => ({ y: softmax(x!, options) }));

const forwardCall = (rows: number, length: number) => ({ inputs: { x: tf.mul(random([rows, length]), 8) }, attrs: {} });

const backwardCall = (rows: number, length: number) => ({
  inputs: { dy: random([rows, length], 2), y: tf.softmax(random([rows, length])) },
  attrs: {},
});

describe('softmax', () => {
  describeRowsAgainstComposed(
    [rowsOf(Softmax, forwardCall), rowsOf(SoftmaxGrad, backwardCall)],
    [
      [2, 40000],
      [3, 40001],
    ],
  );

  it('does not overflow, and gives entries of −∞ the probability 0', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor2d([
        [1e38, 1e38, -1e38, -Infinity],
        [-Infinity, -1e38, -1e38, -Infinity],
        [-Infinity, -Infinity, 5, -Infinity],
      ]);
      const [y, dx] = [softmax(x), tf.grad((t) => tf.sum(tf.square(softmax(t))))(x)];
      await expectClose(y, [0.5, 0.5, 0, 0, 0, 0.5, 0.5, 0, 0, 0, 1, 0], OUTPUT_TOLERANCE);
      await expectClose(dx, new Array(12).fill(0), 0);
      tf.dispose([x, y, dx]);
    });
  });

  it('gives entries of −∞ the probability 0 in rows that do not fit the registers', async () => {
    await expectNoLeak(async () => {
      const x = tf.buffer([1, 40000]);
      x.values.fill(-Infinity);
      x.set(2, 0, 20000);
      x.set(2, 0, 39999);
      const logits = x.toTensor();
      const y = softmax(logits);
      const expected = new Float32Array(40000);
      expected[20000] = expected[39999] = 0.5;
      await expectClose(y, expected, OUTPUT_TOLERANCE);
      tf.dispose([logits, y]);
    });
  });

  it('takes arrays, no rows, and a vector', async () => {
    await expectNoLeak(async () => {
      const vector = softmax([0, Math.log(3)]);
      await expectClose(vector, [0.25, 0.75], OUTPUT_TOLERANCE);
      const none = tf.tidy(() => softmax(tf.zeros([0, 8])));
      expect(none.shape).to.deep.equal([0, 8]);
      tf.dispose([vector, none]);
    });
  });

  it('has the gradients of a vector, and those of no rows', async () => {
    await expectNoLeak(async () => {
      const [vector, none] = [tf.tensor1d([0, Math.log(3)]), tf.zeros([0, 8])];
      const ofVector = tf.grad((x) => tf.sum(tf.square(softmax(x))))(vector);
      await expectClose(ofVector, [-0.1875, 0.1875], GRADIENT_TOLERANCE);
      const { dx: ofNone } = runKernel(SoftmaxGrad, { dy: none, y: none }, {});
      await expectClose(ofNone, none, 0);
      tf.dispose([vector, none, ofVector, ofNone]);
    });
  });

  itDifferentiatesByName(
    Softmax,
    () => ({ inputs: { x: random([3, 8]) }, attrs: {} }),
    ({ x }) => softmax(x!),
  );
});
