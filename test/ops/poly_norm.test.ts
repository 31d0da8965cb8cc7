import { expect } from 'chai';
import { runKernel } from '../../src/engine/run_kernel.js';
import { polyNorm } from '../../src/index.js';
import { PolyNorm, PolyNormGrad } from '../../src/kernels/contracts/poly_norm.js';
import { describeRowsAgainstComposed, itDifferentiatesByName, random, rowsOf } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('polyNorm', ({ x, weight, bias }, options) => ({ y: polyNorm(x!, weight!, bias!, options) }));

const weight = () => tf.tensor1d([0.7, -0.4, 0.5]);

const forwardCall = (rows: number, columns: number) => ({
  inputs: { x: random([rows, columns]), weight: weight(), bias: tf.scalar(0.3) },
  attrs: { epsilon: 0.01 },
});

const backwardCall = (rows: number, columns: number) => {
  const x = random([rows, columns]);
  const { rstd } = runKernel(PolyNorm, { x, weight: weight(), bias: tf.scalar(0) }, { epsilon: 0.1 });
  // Along x, and not around 0, so that the terms of dweight and dbias, sums over all elements, do not cancel each other.
  const dy = tf.add(random([rows, columns], 3), tf.add(x, 1));
  return { inputs: { dy, x, weight: weight(), rstd }, attrs: {} };
};

describe('polyNorm', () => {
  describeRowsAgainstComposed(
    [rowsOf(PolyNorm, forwardCall), rowsOf(PolyNormGrad, backwardCall)],
    [
      [2, 33000],
      [3, 33001],
      [1030, 12],
    ],
  );

  it('does not overflow where x⁶ would, and is nearly the same for a multiple of x', async () => {
    await expectNoLeak(async () => {
      const inputs = [random([3, 37]), weight(), tf.scalar(0.3)];
      const [large, dy] = [tf.mul(inputs[0]!, 2 ** 40), random([3, 37], 5)];
      const run = (epsilon: number) => (x: tf.Tensor, w: tf.Tensor, b: tf.Tensor) => polyNorm(x, w, b, { epsilon });
      const ofLarge = tf.valueAndGrads(run(1e-6))([large, ...inputs.slice(1)], dy);
      const expected = tf.valueAndGrads(run(0))(inputs, dy);
      await expectClose(ofLarge.value, expected.value, OUTPUT_TOLERANCE, 'y');
      const scaled = tf.mul(ofLarge.grads[0]!, 2 ** 40);
      for (const [i, gradient] of [scaled, ...ofLarge.grads.slice(1)].entries()) {
        await expectClose(gradient, expected.grads[i]!, GRADIENT_TOLERANCE, ['dx', 'dweight', 'dbias'][i]);
      }
      tf.dispose([inputs, large, dy, scaled, ofLarge.value, ofLarge.grads, expected.value, expected.grads]);
    });
  });

  it('is bias where x is 0', async () => {
    await expectNoLeak(async () => {
      const y = polyNorm([[0, 0, 0]], [1, 2, 3], 0.5);
      await expectClose(y, [0.5, 0.5, 0.5], 0);
      tf.dispose(y);
    });
  });

  it('takes arrays, no rows, and a vector', async () => {
    await expectNoLeak(async () => {
      const vector = polyNorm([3, 4], [1, 2, 3], 0.5, { epsilon: 0 });
      const n = (power: number, x: number) => x ** power / Math.sqrt((3 ** (2 * power) + 4 ** (2 * power)) / 2);
      const expected = [3, 4].map((x) => n(3, x) + 2 * n(2, x) + 3 * n(1, x) + 0.5);
      await expectClose(vector, expected, OUTPUT_TOLERANCE);
      const none = tf.tidy(() => polyNorm(tf.zeros([0, 8]), [1, 2, 3], 0.5));
      expect(none.shape).to.deep.equal([0, 8]);
      tf.dispose([vector, none]);
    });
  });

  it('has the gradients of no rows', async () => {
    await expectNoLeak(async () => {
      const [x, w, rstd] = [tf.zeros([0, 2]), weight(), tf.zeros([0, 3])];
      const { dx, dweight, dbias } = runKernel(PolyNormGrad, { dy: x, x, weight: w, rstd }, {});
      await expectClose(dx, x, 0, 'dx');
      await expectClose(dweight, [0, 0, 0], 0, 'dweight');
      await expectClose(dbias, [0], 0, 'dbias');
      tf.dispose([x, w, rstd, dx, dweight, dbias]);
    });
  });

  itDifferentiatesByName(
    PolyNorm,
    () => ({ inputs: { x: random([3, 8]), weight: weight(), bias: tf.scalar(0.3) }, attrs: { epsilon: 1e-6 } }),
    ({ x, weight, bias }) => polyNorm(x!, weight!, bias!),
    // WebGL takes a tensor of one number as a uniform, and later as a texture.
    GRADIENT_TOLERANCE,
  );
});
