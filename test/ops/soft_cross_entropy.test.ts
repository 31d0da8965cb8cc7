import { expect } from 'chai';
import fc from 'fast-check';
import { runKernel } from '../../src/engine/run_kernel.js';
import { softCrossEntropy } from '../../src/index.js';
import { SoftCrossEntropy, SoftCrossEntropyGrad } from '../../src/kernels/contracts/soft_cross_entropy.js';
import {
  describeAgainstComposed,
  itDifferentiatesByName,
  oddSize,
  random,
  smallOddSize,
} from '../support/against_composed.js';
import { backendName, tf } from '../support/backend.js';
import { describeGolden, expectClose, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('softCrossEntropy', ({ logits, targets }, options) => ({
  loss: softCrossEntropy(logits!, targets!, options),
}));

type TargetType = 'float32' | 'int32' | 'bool';

/** Logits, and targets that add up to something else than 1 and have zeros among them. */
const tensorsOf = (rows: number, vocabulary: number, dtype: TargetType = 'float32') => ({
  logits: tf.mul(random([rows, vocabulary]), 5),
  targets: tf.cast(tf.relu(tf.mul(random([rows, vocabulary], 2), dtype === 'int32' ? 3 : 1)), dtype),
});

describe('softCrossEntropy', () => {
  const attrs = [
    fc.constantFrom('mean' as const, 'sum' as const, 'none' as const),
    fc.constantFrom(0, 0.3),
    fc.constantFrom(0, 0.02),
    fc.boolean(),
    fc.constantFrom<TargetType>('float32', 'int32', 'bool'),
  ] as const;
  const shapes: Array<[what: string, rows: fc.Arbitrary<number>, vocabulary: fc.Arbitrary<number>, numRuns: number]> = [
    ['odd sizes', smallOddSize, oddSize, 12],
    ['[2, 40000]', fc.constant(2), fc.constant(40000), 2],
    ['[3, 40001]', fc.constant(3), fc.constant(40001), 2],
  ];

  for (const [what, rows, vocabulary, numRuns] of shapes) {
    describe(`of ${what}`, () => {
      describeAgainstComposed(
        SoftCrossEntropy,
        [rows, vocabulary, ...attrs],
        (rows, vocabulary, reduction, labelSmoothing, epsilon, targetsAreNormalized, dtype) => ({
          inputs: tensorsOf(rows, vocabulary, dtype),
          attrs: { reduction, labelSmoothing, epsilon, targetsAreNormalized },
        }),
        { numRuns },
      );

      describeAgainstComposed(
        SoftCrossEntropyGrad,
        [rows, vocabulary, ...attrs],
        (rows, vocabulary, reduction, labelSmoothing, epsilon, targetsAreNormalized, dtype) => {
          const inputs = tensorsOf(rows, vocabulary, dtype);
          const { lse, mass } = runKernel(SoftCrossEntropy, inputs, {
            reduction,
            labelSmoothing,
            epsilon,
            targetsAreNormalized,
          });
          const dy = reduction === 'none' ? random([rows], 3) : tf.scalar(0.7);
          return {
            inputs: { ...inputs, dy, lse, ...(mass && { mass }) },
            attrs: { reduction, labelSmoothing, epsilon, dtargets: dtype === 'float32' && !targetsAreNormalized },
          };
        },
        { numRuns },
      );
    });
  }

  it('takes one-hot labels of integers and booleans, arrays, vectors and no rows', async () => {
    await expectNoLeak(async () => {
      const logits = random([4, 5]);
      const oneHot = tf.tidy(() => tf.oneHot(tf.tensor1d([1, 0, 4, 2], 'int32'), 5) as tf.Tensor);
      const [cast, booleans] = [tf.cast(oneHot, 'float32'), tf.cast(oneHot, 'bool')];
      const floats = tf.tensor2d([...(await oneHot.data())], [4, 5]);
      const gradientOf = (targets: tf.Tensor) => tf.valueAndGrad((x) => softCrossEntropy(x, targets))(logits);
      const expected = gradientOf(floats);
      for (const targets of [oneHot, cast, booleans]) {
        const { value, grad } = gradientOf(targets);
        await expectClose(value, expected.value, OUTPUT_TOLERANCE);
        await expectClose(grad, expected.grad, GRADIENT_TOLERANCE);
        tf.dispose([value, grad]);
      }
      const vector = softCrossEntropy([0, Math.log(3)], [0.5, 0.5]);
      await expectClose(vector, [Math.log(4) - Math.log(3) / 2], OUTPUT_TOLERANCE);
      const none = tf.tidy(() => softCrossEntropy(tf.zeros([0, 4]), tf.zeros([0, 4])));
      await expectClose(none, [0], 0);
      const each = tf.tidy(() => softCrossEntropy(tf.zeros([0, 4]), tf.zeros([0, 4]), { reduction: 'none' }));
      expect(each.shape).to.deep.equal([0]);
      tf.dispose([logits, oneHot, cast, floats, booleans, expected, vector, none, each]);
    });
  });

  it('has no loss of a class without a share, even where its logit is −∞, and none of a row without any', async () => {
    await expectNoLeak(async () => {
      const logits = tf.tensor2d([
        [0, -Infinity, Math.log(3), -Infinity],
        [-Infinity, -Infinity, -Infinity, 2],
        [1, 2, 3, 4],
        [1e38, -1e38, 0, -Infinity],
      ]);
      const targets = tf.tensor2d([
        [0.5, 0, 0.5, 0],
        [0, 0, 0, 1],
        [0, 0, 0, 0],
        [1, 0, 0, 0],
      ]);
      const { value, grad } = tf.valueAndGrad((x) => softCrossEntropy(x, targets, { reduction: 'sum' }))(logits);
      await expectClose(value, [Math.log(4) - Math.log(3) / 2], OUTPUT_TOLERANCE);
      await expectClose(grad, [-0.25, 0, 0.25, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], GRADIENT_TOLERANCE);
      tf.dispose([logits, targets, value, grad]);
    });
  });

  it('answers NaN and infinities', async () => {
    const loss = async (row: number[]) => {
      const value = softCrossEntropy([row], [[0.5, 0, 0.5]]);
      const [result] = await value.data();
      value.dispose();
      return result;
    };
    for (const at of [0, 1, 2]) {
      for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const row = [1, 2, 3];
        row[at] = wrong;
        expect(await loss(row), `[${row}]`).to.be.NaN;
      }
    }
    expect(await loss(Array(3).fill(Number.NEGATIVE_INFINITY))).to.be.NaN;
    expect(await loss([Number.NEGATIVE_INFINITY, 0, 0])).to.equal(Number.POSITIVE_INFINITY);
  });

  it('computes the gradient of the targets only for those who differentiate them', async () => {
    await expectNoLeak(async () => {
      const { logits, targets } = tf.tidy(() => tensorsOf(3, 5));
      const cost = () => softCrossEntropy(logits, targets) as tf.Scalar;
      for (const xs of [[logits], [logits, targets]]) {
        const { kernels, result } = await tf.profile(() => tf.engine().gradients(cost, xs) as never);
        const backward = kernels.find(({ name }) => name === 'LigerSoftCrossEntropyGrad');
        expect(backward!.outputShapes).to.deep.equal(xs.map(() => [3, 5]));
        tf.dispose(result);
      }
      tf.dispose([logits, targets]);
    });
  });

  it('makes no floats of integers on WebGPU, and has no gradient of them', async () => {
    await expectNoLeak(async () => {
      const { logits, targets } = tf.tidy(() => tensorsOf(3, 8, 'int32'));
      const cost = () => softCrossEntropy(logits, targets) as tf.Scalar;
      const { kernels, result } = await tf.profile(() => tf.engine().gradients(cost, [logits]) as never);
      const programs = await Promise.all(kernels.map(({ extraInfo }) => extraInfo));
      if (backendName === 'webgpu') {
        expect(kernels.map(({ name }) => name)).not.to.include('Cast');
        expect(programs.join()).not.to.include('toFloats');
      }
      // Whoever makes integers of what is differentiated is given zeros.
      const gradients = tf.tidy(() =>
        tf.grads((x: tf.Tensor, y: tf.Tensor) => softCrossEntropy(x, tf.cast(y, 'int32')))([logits, tf.ones([3, 8])]),
      );
      await expectClose(gradients[1]!, Array(24).fill(0), 0);
      tf.dispose([logits, targets, result, gradients]);
    });
  });

  it('takes the sum of a row of targets for 1 where its kernel is told so', async () => {
    await expectNoLeak(async () => {
      const { logits, targets, expected, dlogits } = tf.tidy(() => {
        const { logits, targets } = tensorsOf(3, 5);
        const attrs = { reduction: 'none' as const, labelSmoothing: 0, epsilon: 0, targetsAreNormalized: true };
        const dlogits = tf.grad((x) => runKernel(SoftCrossEntropy, { logits: x, targets }, attrs).loss)(logits);
        return { logits, targets, dlogits, expected: tf.sub(tf.softmax(logits), targets) };
      });
      await expectClose(dlogits, expected, GRADIENT_TOLERANCE);
      tf.dispose([logits, targets, dlogits, expected]);
    });
  });

  itDifferentiatesByName(
    SoftCrossEntropy,
    () => ({
      inputs: tf.tidy(() => tensorsOf(4, 6)),
      attrs: { reduction: 'mean', labelSmoothing: 0.1, epsilon: 0, targetsAreNormalized: false },
    }),
    ({ logits, targets }) => softCrossEntropy(logits!, targets!, { labelSmoothing: 0.1 }),
  );
});
