import { expect } from 'chai';
import { fusedAddRmsNorm, rmsNorm } from '../../src/index.js';
import { FusedAddRmsNorm, FusedAddRmsNormGrad } from '../../src/kernels/contracts/fused_add_rms_norm.js';
import { describeRowsAgainstComposed, itDifferentiatesByName, random, rowsOf } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('fusedAddRmsNorm', ({ x, residual, gamma }, options) => fusedAddRmsNorm(x!, residual!, gamma!, options));

const forwardCall = (rows: number, hidden: number) => ({
  inputs: { x: random([rows, hidden]), residual: random([rows, hidden], 2), gamma: random([hidden], 3) },
  attrs: { epsilon: 1e-6, offset: 0.5 },
});

const backwardCall = (rows: number, hidden: number) => {
  const sum = random([rows, hidden]);
  const rstd = tf.rsqrt(tf.add(tf.mean(tf.square(sum), -1), 0.1));
  const dsum = random([rows, hidden], 4);
  const inputs = { dy: random([rows, hidden], 3), dsum, sum, gamma: random([hidden], 2), rstd };
  return { inputs, attrs: { offset: 0.5, dgamma: true } };
};

describe('fusedAddRmsNorm', () => {
  describeRowsAgainstComposed(
    [rowsOf(FusedAddRmsNorm, forwardCall), rowsOf(FusedAddRmsNormGrad, backwardCall)],
    [
      [2, 33000],
      [3, 33001],
      [1030, 12],
    ],
  );

  it('is rmsNorm of the sum', async () => {
    await expectNoLeak(async () => {
      const [x, residual, gamma] = [random([3, 24]), random([3, 24], 2), random([24], 3)];
      const sum = tf.add(x, residual);
      const y = rmsNorm(sum, gamma, { offset: 1 });
      const fused = fusedAddRmsNorm(x, residual, gamma, { offset: 1 });
      await expectClose(fused.y, y, OUTPUT_TOLERANCE, 'y');
      await expectClose(fused.residual, sum, 0, 'residual');
      tf.dispose([x, residual, gamma, sum, y, fused]);
    });
  });

  it('takes arrays, no rows, and a vector', async () => {
    await expectNoLeak(async () => {
      const { y, residual } = fusedAddRmsNorm([1, 1], [2, 3], [1, 1], { epsilon: 0 });
      await expectClose(y, [3 / Math.sqrt(12.5), 4 / Math.sqrt(12.5)], OUTPUT_TOLERANCE);
      await expectClose(residual, [3, 4], 0);
      const none = tf.tidy(() => fusedAddRmsNorm(tf.zeros([0, 8]), tf.zeros([0, 8]), tf.ones([8])));
      expect([none.y.shape, none.residual.shape]).to.deep.equal([
        [0, 8],
        [0, 8],
      ]);
      tf.dispose([y, residual, none]);
    });
  });

  it('accumulates the gradient where x or residual has other uses, or both are one tensor', async () => {
    await expectNoLeak(async () => {
      const [x, gamma, weight] = [random([3, 8]), random([8], 2), random([3, 8], 3)];
      const fused = tf.grad((t) => {
        const first = fusedAddRmsNorm(t, t, gamma);
        const second = fusedAddRmsNorm(first.y, first.residual, gamma);
        return tf.sum(tf.mul(weight, tf.add(second.y, tf.add(second.residual, t))));
      })(x);
      const separate = tf.grad((t) => {
        const first = tf.add(t, t);
        const second = tf.add(rmsNorm(first, gamma), first);
        return tf.sum(tf.mul(weight, tf.add(rmsNorm(second, gamma), tf.add(second, t))));
      })(x);
      await expectClose(fused, separate, GRADIENT_TOLERANCE);
      tf.dispose([x, gamma, weight, fused, separate]);
    });
  });

  itDifferentiatesByName(
    FusedAddRmsNorm,
    () => ({
      inputs: { x: random([3, 8]), residual: random([3, 8], 2), gamma: random([8], 3) },
      attrs: { epsilon: 1e-6, offset: 0 },
    }),
    ({ x, residual, gamma }) => fusedAddRmsNorm(x!, residual!, gamma!).y,
  );

  it('differentiates where nothing uses the sum', async () => {
    await expectNoLeak(async () => {
      const [x, residual, gamma, dy] = [random([3, 8]), random([3, 8], 2), random([8], 3), random([3, 8], 4)];
      const gradients = tf.grads((x: tf.Tensor, residual: tf.Tensor, gamma: tf.Tensor) =>
        tf.sum(tf.mul(fusedAddRmsNorm(x, residual, gamma).y, dy)),
      )([x, residual, gamma]);
      const apart = tf.grads((x: tf.Tensor, residual: tf.Tensor, gamma: tf.Tensor) =>
        tf.sum(tf.mul(rmsNorm(tf.add(x, residual), gamma), dy)),
      )([x, residual, gamma]);
      for (const [i, gradient] of gradients.entries()) await expectClose(gradient, apart[i]!, GRADIENT_TOLERANCE);
      tf.dispose([x, residual, gamma, dy, gradients, apart]);
    });
  });
});
