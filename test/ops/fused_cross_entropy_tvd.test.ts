import { expect } from 'chai';
import { crossEntropy, fusedCrossEntropyTvd, softmax, tvd } from '../../src/index.js';
import { FusedCrossEntropyTvd, FusedCrossEntropyTvdGrad } from '../../src/kernels/contracts/fused_cross_entropy_tvd.js';
import {
  describeAgainstComposed,
  itDifferentiatesByName,
  oddSize,
  random,
  smallOddSize,
} from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import {
  describeGolden,
  expectClose,
  expectError,
  expectNoLeak,
  GRADIENT_TOLERANCE,
  OUTPUT_TOLERANCE,
} from '../support/golden.js';

describeGolden('fusedCrossEntropyTvd', ({ studentLogits, teacherLogits, labels }, options) => ({
  ...fusedCrossEntropyTvd(studentLogits!, teacherLogits!, labels!, options),
}));

describe('fusedCrossEntropyTvd', () => {
  const labelsOf = (rows: number, vocabulary: number) =>
    tf.tensor1d(
      Array.from({ length: rows }, (_, i) => (i % 5 === 4 ? -100 : (i * 7 + 3) % vocabulary)),
      'int32',
    );
  const inputsOf = (rows: number, vocabulary: number) => ({
    studentLogits: tf.mul(random([rows, vocabulary]), 3),
    teacherLogits: tf.mul(random([rows, vocabulary], 2), 3),
    labels: labelsOf(rows, vocabulary),
  });
  const attrs = { ignoreIndex: -100 };

  describeAgainstComposed(FusedCrossEntropyTvd, [smallOddSize, oddSize], (rows, vocabulary) => ({
    inputs: inputsOf(rows, vocabulary),
    attrs,
  }));
  describeAgainstComposed(FusedCrossEntropyTvdGrad, [smallOddSize, oddSize], (rows, vocabulary) => {
    const inputs = inputsOf(rows, vocabulary + 1);
    const lse = tf.logSumExp(inputs.studentLogits, 1, true);
    const teacherLse = tf.logSumExp(inputs.teacherLogits, 1, true);
    const stats = tf.concat([lse, teacherLse, random([rows, 1], 4)], 1);
    return { inputs: { ...inputs, stats, dcrossEntropy: random([rows], 5), dtvd: random([rows], 6) }, attrs };
  });

  it('is crossEntropy and tvd of softmax, with the gradients of both', async () => {
    await expectNoLeak(async () => {
      const { studentLogits, teacherLogits, labels } = tf.tidy(() => inputsOf(7, 33));
      const dy = random([7], 9);
      const both = (f: (x: tf.Tensor) => tf.Tensor) => tf.tidy(() => [f(studentLogits), tf.grad(f)(studentLogits, dy)]);
      const actual = both((x) => {
        const { crossEntropy, tvd } = fusedCrossEntropyTvd(x, teacherLogits, labels);
        return tf.add(crossEntropy, tf.mul(tvd, 2));
      });
      const expected = both((x) => {
        const nll = crossEntropy(x, labels, { reduction: 'none' });
        const distances = tvd(softmax(x), softmax(teacherLogits), { labels, reduction: 'none' });
        return tf.add(nll, tf.mul(tf.sum(distances, -1), 2));
      });
      await expectClose(actual[0]!, expected[0]!, OUTPUT_TOLERANCE);
      await expectClose(actual[1]!, expected[1]!, GRADIENT_TOLERANCE);
      tf.dispose([studentLogits, teacherLogits, labels, dy, actual, expected]);
    });
  });

  it('takes arrays and no tokens, and names a label out of range', async () => {
    await expectNoLeak(async () => {
      const one = fusedCrossEntropyTvd([[0, 0]], [[0, Math.log(3)]], [1]);
      await expectClose(one.crossEntropy, [Math.LN2], OUTPUT_TOLERANCE);
      await expectClose(one.tvd, [0.25], OUTPUT_TOLERANCE);
      const none = tf.tidy(() => fusedCrossEntropyTvd(tf.zeros([0, 3]), tf.zeros([0, 3]), tf.zeros([0], 'int32')));
      expect(none.tvd.shape).to.deep.equal([0]);
      expectError(
        () => fusedCrossEntropyTvd([[0, 0]], [[0, 0]], [2]),
        /^fusedCrossEntropyTvd: labels must be in \[0, 2\) or -100 \(ignoreIndex\), but got 2 at position 0$/,
      );
      tf.dispose([one, none]);
    });
  });

  itDifferentiatesByName(
    FusedCrossEntropyTvd,
    () => {
      const { studentLogits, ...constants } = tf.tidy(() => inputsOf(4, 6));
      return { inputs: { studentLogits }, constants, attrs };
    },
    ({ studentLogits, teacherLogits, labels }) =>
      fusedCrossEntropyTvd(studentLogits!, teacherLogits!, labels!).crossEntropy,
  );
});
