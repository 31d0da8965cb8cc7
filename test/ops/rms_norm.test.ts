import { expect } from 'chai';
import { rmsNorm } from '../../src/index.js';
import { RmsNorm, RmsNormGrad } from '../../src/kernels/contracts/rms_norm.js';
import { describeRowsAgainstComposed, itDifferentiatesByName, random, rowsOf } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectError, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('rmsNorm', ({ x, gamma }, options) => ({ y: rmsNorm(x!, gamma, options) }));

const forwardCall = (rows: number, hidden: number) => ({
  inputs: { x: random([rows, hidden]), gamma: random([hidden], 2) },
  attrs: { epsilon: 1e-6, offset: 0.5 },
});

const backwardCall = (rows: number, hidden: number) => {
  const x = random([rows, hidden]);
  const rstd = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1), 0.1));
  return {
    inputs: { dy: random([rows, hidden], 3), x, gamma: random([hidden], 2), rstd },
    attrs: { offset: 0.5, dgamma: true },
  };
};

describe('rmsNorm', () => {
  describeRowsAgainstComposed(
    [rowsOf(RmsNorm, forwardCall), rowsOf(RmsNormGrad, backwardCall)],
    [
      [2, 40000],
      [3, 40001],
      [1030, 12],
      [66000, 4],
    ],
  );

  it('takes arrays, no rows, and a vector', async () => {
    await expectNoLeak(async () => {
      const vector = rmsNorm([3, 4], undefined, { epsilon: 0 });
      await expectClose(vector, [3 / Math.sqrt(12.5), 4 / Math.sqrt(12.5)], OUTPUT_TOLERANCE);
      const none = tf.tidy(() => rmsNorm(tf.zeros([0, 8]), tf.ones([8])));
      expect(none.shape).to.deep.equal([0, 8]);
      tf.dispose([vector, none]);
    });
  });

  itDifferentiatesByName(
    RmsNorm,
    () => ({ inputs: { x: random([3, 8]) }, attrs: { epsilon: 1e-6, offset: 0 } }),
    ({ x }) => rmsNorm(x!),
  );

  it('names what is wrong', () => {
    const x = tf.ones([2, 8]);
    const gamma = tf.ones([8]);
    const disposed = tf.ones([2, 8]);
    const short = tf.ones([7]);
    const integers = tf.ones([2, 8], 'int32');
    disposed.dispose();
    expectError(
      () => rmsNorm(x, gamma, { epsilonn: 1 } as never),
      /^rmsNorm: unknown option 'epsilonn'; did you mean 'epsilon'\?$/,
    );
    expectError(
      () => rmsNorm(x, gamma, { epsilon: '1' as never }),
      /^rmsNorm: option 'epsilon' must be a finite number of at least 0, but got '1'$/,
    );
    expectError(() => rmsNorm(x, gamma, { epsilon: -1 }), /epsilon' must be a finite number of at least 0, but got -1/);
    expectError(
      () => rmsNorm(x, short),
      /^rmsNorm: gamma must have shape \[C\] = \[8\] \(as x says\), but got a float32 tensor of shape \[7\]$/,
    );
    expectError(() => rmsNorm(integers, gamma), /^rmsNorm: x must be a float32 tensor, but got an int32 tensor/);
    expectError(() => rmsNorm(disposed), /^rmsNorm: x is a tensor that was disposed$/);
    expectError(() => rmsNorm(undefined as never), /^rmsNorm: x must be a float32 tensor, but got undefined$/);
    tf.dispose([x, gamma, short, integers]);
  });
});
