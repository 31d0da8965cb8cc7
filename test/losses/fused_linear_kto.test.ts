import { expect } from 'chai';
import { type FusedLinearKtoConfig, fusedLinearKto } from '../../src/index.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectError, expectNoLeak, relativeError } from '../support/golden.js';
import { headOf, labelsOf, lossAndGradients, PARTS } from '../support/heads.js';
import { conditionOfLogitSums } from '../support/logit_sums.js';

describeGolden(
  'fusedLinearKto',
  ({ x, weight, labels, preferenceLabels, ...tensors }, { useRefModel: _, ...options }) =>
    fusedLinearKto(x!, weight!, labels!, preferenceLabels!, { ...options, ...tensors } as FusedLinearKtoConfig),
  { condition: conditionOfLogitSums },
);

describe('fusedLinearKto', () => {
  const wanted = [1, 0, 1];

  it('is the same of a kl for all sequences and of one for each', async () => {
    await expectNoLeak(async () => {
      const [head, labels] = [headOf(3, 2), labelsOf(3, 2)];
      const kto = (kl: FusedLinearKtoConfig['kl']) =>
        lossAndGradients(head, (x, weight, bias) => fusedLinearKto(x, weight, labels, wanted, { bias, kl }).loss);
      const [one, each, none] = [kto(0.4), kto([0.4, 0.4, 0.4]), kto(undefined)];
      for (const [i, tensor] of one.entries()) await expectClose(tensor, each[i]!, 0, PARTS[i]);
      expect(relativeError(await one[0]!.data(), await none[0]!.data())).to.be.above(0.001);
      tf.dispose([head, labels, one, each, none] as tf.TensorContainer);
    });
  });

  for (const averageLogProb of [false, true]) {
    it(`without any token that counts is σ(0) and has gradients of 0, averaged: ${averageLogProb}`, async () => {
      await expectNoLeak(async () => {
        const [head, labels] = [headOf(3, 2), tf.fill([3, 2], -100, 'int32')];
        const parts = lossAndGradients(
          head,
          (x, weight, bias) => fusedLinearKto(x, weight, labels, wanted, { bias, averageLogProb }).loss,
        );
        await expectClose(parts[0]!, 0.5, 0, 'loss');
        for (const i of [1, 2, 3]) await expectClose(parts[i]!, new Float32Array(parts[i]!.size), 0, PARTS[i]);
        tf.dispose([head, labels, parts] as tf.TensorContainer);
      });
    });
  }

  it('names a kl and a label of preference that do not fit, and a reference that is given twice', async () => {
    await expectNoLeak(async () => {
      const [{ x, weight, bias }, labels] = [headOf(3, 2), labelsOf(3, 2)];
      expectError(
        () => fusedLinearKto(x, weight, labels, wanted, { kl: [0, 1] }),
        /^fusedLinearKto: kl must be a scalar or of shape \[B\] = \[3\], but got a float32 tensor of shape \[2\]$/,
      );
      expectError(
        () => fusedLinearKto(x, weight, labels, [1, -1, 1]),
        /^fusedLinearKto: preferenceLabels must be in \[0, 2\), but got -1 at position 1$/,
      );
      expectError(
        () => fusedLinearKto(x, weight, labels, wanted, { refInput: x, refWeight: weight, refLogps: [0, 0, 0] }),
        /^fusedLinearKto: the reference is given twice, as refLogps and as refInput; give one of them$/,
      );
      expectError(
        () => fusedLinearKto(x, weight, labels, wanted, { refBias: bias }),
        /^fusedLinearKto: refBias needs refInput and refWeight, which are missing$/,
      );
      tf.dispose([x, weight, bias, labels] as tf.TensorContainer);
    });
  });
});
