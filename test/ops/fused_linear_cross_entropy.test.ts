import { expect } from 'chai';
import fc from 'fast-check';
import { crossEntropy, fusedLinearCrossEntropy, linear } from '../../src/index.js';
import { FusedLinearCrossEntropy } from '../../src/kernels/contracts/fused_linear_cross_entropy.js';
import { describeAgainstComposed, random, smallOddSize } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import {
  describeGolden,
  expectClose,
  expectError,
  expectNoLeak,
  GRADIENT_TOLERANCE,
  OUTPUT_TOLERANCE,
} from '../support/golden.js';

describeGolden('fusedLinearCrossEntropy', ({ x, weight, labels, bias, classWeight }, options) => {
  const result = fusedLinearCrossEntropy(x!, weight!, labels!, { ...options, bias, classWeight });
  return (result instanceof tf.Tensor ? { loss: result } : result) as Record<string, tf.Tensor>;
});

/** Labels in [0, vocabulary), every fifth one ignored. */
const labelsOf = (rows: number, vocabulary: number) =>
  tf.tensor1d(
    Array.from({ length: rows }, (_, i) => (i % 5 === 4 ? -100 : (i * 7 + 3) % vocabulary)),
    'int32',
  );

describe('fusedLinearCrossEntropy', () => {
  describeAgainstComposed(
    FusedLinearCrossEntropy,
    [smallOddSize, smallOddSize, fc.constantFrom(5, 64, 131), fc.constantFrom(0, 1, 3), fc.boolean()],
    (rows, hidden, vocabulary, chunkSize, perToken) => ({
      inputs: {
        x: random([rows, hidden]),
        weight: random([vocabulary, hidden], 2),
        labels: labelsOf(rows, vocabulary),
        bias: random([vocabulary], 3),
        classWeight: tf.add(random([vocabulary], 4), 1.5),
        ...(perToken && { dy: random([rows], 5) }),
      },
      attrs: {
        ignoreIndex: -100,
        labelSmoothing: 0.1,
        lseSquareScale: 1e-3,
        softcap: 3,
        reduction: perToken ? ('none' as const) : ('mean' as const),
        numItemsInBatch: 0,
        returnZLoss: true,
        returnTokenAccuracy: true,
        returnPredictedTokens: true,
        transposeWeight: false,
        useTokenScaling: true,
        chunkSize,
        gradients: { x: true, weight: true, bias: true },
      },
    }),
    { numRuns: 8, tolerance: GRADIENT_TOLERANCE },
  );

  for (const [rows, hidden, vocabulary, chunkSize] of [
    [300, 12, 131, 128],
    [37, 8, 50, 5],
  ] as const) {
    it(`agrees with linear and crossEntropy in chunks of ${chunkSize} of ${rows}`, async () => {
      await expectNoLeak(async () => {
        const [x, weight, bias] = [random([rows, hidden]), random([vocabulary, hidden], 2), random([vocabulary], 3)];
        const labels = labelsOf(rows, vocabulary);
        const fused = tf.valueAndGrads((x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) =>
          fusedLinearCrossEntropy(x, weight, labels, { bias, chunkSize }),
        )([x!, weight!, bias!]);
        const apart = tf.valueAndGrads((x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) =>
          crossEntropy(linear(x, weight, { bias }), labels),
        )([x!, weight!, bias!]);
        await expectClose(fused.value, apart.value, OUTPUT_TOLERANCE, 'loss');
        for (const i of [0, 1, 2]) await expectClose(fused.grads[i]!, apart.grads[i]!, GRADIENT_TOLERANCE, `grad ${i}`);
        tf.dispose([x!, weight!, bias!, labels, fused as never, apart as never]);
      });
    });
  }

  for (const [rows, hidden, vocabulary] of [
    [11, 6, 13],
    [9, 8, 32],
  ] as const) {
    it(`takes a transposed weight of [${hidden}, ${vocabulary}]`, async () => {
      await expectNoLeak(async () => {
        const [x, weight, bias] = [random([rows, hidden]), random([vocabulary, hidden], 2), random([vocabulary], 3)];
        const labels = labelsOf(rows, vocabulary);
        const flipped = tf.transpose(weight);
        for (const reduction of ['mean', 'none'] as const) {
          const run = (weight: tf.Tensor, transposeWeight: boolean) =>
            tf.valueAndGrads((x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) => {
              const config = { bias, reduction, transposeWeight, chunkSize: 4 };
              return tf.sum(fusedLinearCrossEntropy(x, weight, labels, config));
            })([x, weight, bias]);
          const [actual, expected] = [run(flipped, true), run(weight, false)];
          const dweight = tf.transpose(expected.grads[1]!);
          await expectClose(actual.value, expected.value, OUTPUT_TOLERANCE, 'loss');
          await expectClose(actual.grads[0]!, expected.grads[0]!, GRADIENT_TOLERANCE, 'dx');
          await expectClose(actual.grads[1]!, dweight, GRADIENT_TOLERANCE, 'dweight');
          await expectClose(actual.grads[2]!, expected.grads[2]!, GRADIENT_TOLERANCE, 'dbias');
          tf.dispose([actual as never, expected as never, dweight]);
        }
        expectError(
          () => fusedLinearCrossEntropy(x, weight, labels, { transposeWeight: true }),
          /^fusedLinearCrossEntropy: weight must have shape \[H,V\] = /,
        );
        tf.dispose([x, weight, bias, labels, flipped]);
      });
    });
  }

  it('multiplies by the upstream gradient', async () => {
    await expectNoLeak(async () => {
      const [x, weight, labels] = [random([6, 4]), random([9, 4], 2), labelsOf(6, 9)];
      const gradient = (factor: number) =>
        tf.grad((x: tf.Tensor) => tf.mul(fusedLinearCrossEntropy(x, weight, labels), factor))(x);
      const [one, three] = [gradient(1), gradient(3)];
      const expected = tf.mul(one, 3);
      await expectClose(three, expected, GRADIENT_TOLERANCE);
      tf.dispose([x, weight, labels, one, three, expected]);
    });
  });

  it('computes the loss alone when no tape records', async () => {
    await expectNoLeak(async () => {
      const [x, weight, labels] = [random([6, 4]), random([9, 4], 2), labelsOf(6, 9)];
      const profile = await tf.profile(() => fusedLinearCrossEntropy(x, weight, labels));
      const shapes = profile.kernels
        .filter(({ name }) => name === FusedLinearCrossEntropy.name)
        .flatMap(({ outputShapes }) => outputShapes);
      expect(shapes).to.deep.equal([[]]);
      tf.dispose([x, weight, labels, profile.result as tf.Tensor]);
    });
  });

  it('is 0 with gradient 0 when every label is ignored, and takes no rows', async () => {
    await expectNoLeak(async () => {
      const [x, weight, labels] = [random([3, 4]), random([9, 4], 2), tf.fill([3], -100, 'int32')];
      const { value, grads } = tf.valueAndGrads((x: tf.Tensor, weight: tf.Tensor) =>
        fusedLinearCrossEntropy(x, weight, labels),
      )([x, weight]);
      await expectClose(value, [0], 0);
      await expectClose(grads[0]!, Array(12).fill(0), 0);
      await expectClose(grads[1]!, Array(36).fill(0), 0);
      const none = tf.tidy(() => fusedLinearCrossEntropy(tf.zeros([0, 4]), weight, tf.zeros([0], 'int32')));
      await expectClose(none, [0], 0);
      tf.dispose([x, weight, labels, value, grads as never, none]);
    });
  });

  it('refuses labels out of range in JavaScript', () => {
    const [x, weight] = [tf.ones([2, 4]), tf.ones([5, 4])];
    expectError(
      () => fusedLinearCrossEntropy(x, weight, [0, 5]),
      /^fusedLinearCrossEntropy: labels must be in \[0, 5\) or -100 \(ignoreIndex\), but got 5 at position 1$/,
    );
    tf.dispose([x, weight]);
  });
});
