import { expect } from 'chai';
import { runKernel } from '../../src/engine/run_kernel.js';
import { modulatedRmsNorm } from '../../src/index.js';
import { ModulatedRmsNorm, ModulatedRmsNormGrad } from '../../src/kernels/contracts/modulated_rms_norm.js';
import { describeRowsAgainstComposed, itDifferentiatesByName, random, rowsOf } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectError, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('modulatedRmsNorm', ({ x, scale, gamma, shift }, options) => ({
  y: modulatedRmsNorm(x!, scale!, { gamma, shift, ...options }),
}));

/** Calls of x [batch, rows, columns], of which each element of the batch, or each row, has a row of scale and shift. */
const callsOf = (modulated: 'batch' | 'row') => {
  const shapeOf = (batch: number, rows: number, columns: number) =>
    modulated === 'batch' ? [batch, columns] : [batch, rows, columns];
  const inputs = (batch: number, rows: number, columns: number) => ({
    x: random([batch, rows, columns]),
    gamma: random([columns], 2),
    scale: random(shapeOf(batch, rows, columns), 4),
  });
  return {
    forward: (batch: number, rows: number, columns: number) => ({
      inputs: { ...inputs(batch, rows, columns), shift: random(shapeOf(batch, rows, columns), 5) },
      attrs: { epsilon: 1e-6, offset: 0.5 },
    }),
    backward: (batch: number, rows: number, columns: number) => {
      const { x, gamma, scale } = inputs(batch, rows, columns);
      const rstd = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1), 0.1));
      return {
        inputs: { dy: random([batch, rows, columns], 3), x, gamma, scale, rstd },
        attrs: { offset: 0.5, dgamma: true, dshift: scale.size !== x.size },
      };
    },
  };
};

describe('modulatedRmsNorm', () => {
  for (const modulated of ['batch', 'row'] as const) {
    describe(`of a scale for each ${modulated}`, () => {
      const { forward, backward } = callsOf(modulated);
      describeRowsAgainstComposed(
        [
          rowsOf(ModulatedRmsNorm, (rows, columns) => forward(2, rows, columns)),
          rowsOf(ModulatedRmsNormGrad, (rows, columns) => backward(2, rows, columns)),
        ],
        modulated === 'batch'
          ? [
              [1, 20001],
              [515, 12],
            ]
          : [[1, 20000]],
      );
      describe('of more of the batch than workgroups', () => {
        describeRowsAgainstComposed(
          [rowsOf(ModulatedRmsNormGrad, (batch, columns) => backward(batch, 3, columns))],
          [[700, 5]],
        );
      });
    });
  }

  it('takes arrays, no rows, and a vector', async () => {
    await expectNoLeak(async () => {
      const vector = modulatedRmsNorm([3, 4], [1, 0.5], { shift: [1, 2], epsilon: 0 });
      await expectClose(vector, [(3 / Math.sqrt(12.5)) * 2 + 1, (4 / Math.sqrt(12.5)) * 1.5 + 2], OUTPUT_TOLERANCE);
      const none = tf.tidy(() => modulatedRmsNorm(tf.zeros([0, 8]), tf.ones([8])));
      expect(none.shape).to.deep.equal([0, 8]);
      tf.dispose([vector, none]);
    });
  });

  it('is rmsNorm where scale and shift are 0, for large x too', async () => {
    await expectNoLeak(async () => {
      const [x, zeros] = [tf.tensor2d([[3e15, 4e15]]), tf.zeros([2])];
      const y = modulatedRmsNorm(x, zeros, { gamma: [1, 2], shift: zeros, offset: 1 });
      await expectClose(y, [(3 / Math.sqrt(12.5)) * 2, (4 / Math.sqrt(12.5)) * 3], OUTPUT_TOLERANCE);
      tf.dispose([x, zeros, y]);
    });
  });

  it('has the gradients of no rows', async () => {
    await expectNoLeak(async () => {
      const [gamma, rstd] = [tf.ones([4]), tf.zeros([2, 0])];
      const x = tf.zeros([2, 0, 4]);
      for (const shape of [[4], [2, 4], [2, 0, 4]]) {
        const scale = tf.ones(shape);
        const attrs = { offset: 0, dgamma: true, dshift: scale.size > 0 };
        const gradients = runKernel(ModulatedRmsNormGrad, { dy: x, x, gamma, scale, rstd }, attrs);
        const zeros = tf.zeros(shape);
        await expectClose(gradients.dx, x, 0, 'dx');
        await expectClose(gradients.dgamma!, [0, 0, 0, 0], 0, 'dgamma');
        await expectClose(gradients.dscale, zeros, 0, 'dscale');
        if (attrs.dshift) await expectClose(gradients.dshift!, zeros, 0, 'dshift');
        tf.dispose([scale, zeros, ...Object.values(gradients)]);
      }
      tf.dispose([gamma, rstd, x]);
    });
  });

  for (const shape of [[8], [2, 8], [2, 3, 8]]) {
    describe(`of a scale [${shape}]`, () => {
      itDifferentiatesByName(
        ModulatedRmsNorm,
        () => ({
          inputs: { x: random([2, 3, 8]), scale: random(shape, 2), gamma: random([8], 4), shift: random(shape, 5) },
          attrs: { epsilon: 1e-6, offset: 0 },
        }),
        ({ x, scale, gamma, shift }) => modulatedRmsNorm(x!, scale!, { gamma, shift }),
      );
    });
  }

  it('names what is wrong', () => {
    const x = tf.ones([2, 3, 8]);
    const fitting = tf.ones([2, 8]);
    for (const shape of [
      [3, 8],
      [2, 1, 8],
      [1, 8],
      [1, 2, 3, 8],
    ]) {
      const scale = tf.ones(shape);
      expectError(
        () => modulatedRmsNorm(x, scale),
        new RegExp(
          `^modulatedRmsNorm: scale must be of shape \\[8\\] or \\[2,8\\] or \\[2,3,8\\] \\(as x says\\), but got a float32 tensor of shape \\[${shape}\\]$`,
        ),
      );
      scale.dispose();
    }
    expectError(() => modulatedRmsNorm([1, 2], [[1, 2]]), /scale must be of shape \[2\] \(as x says\), but got /);
    const short = tf.ones([7]);
    expectError(
      () => modulatedRmsNorm(x, short),
      /^modulatedRmsNorm: scale must have shape \[S\.\.\.,C\] = \[8\] \(as x says\), but got a float32 tensor of shape \[7\]$/,
    );
    const shift = tf.ones([8]);
    expectError(
      () => modulatedRmsNorm(x, fitting, { shift }),
      /^modulatedRmsNorm: shift must have shape \[S\.\.\.,C\] = \[2,8\] \(as scale and x say\), but got a float32 tensor of shape \[8\]$/,
    );
    tf.dispose([x, fitting, short, shift]);
  });
});
