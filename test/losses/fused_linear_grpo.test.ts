import { expect } from 'chai';
import { type FusedLinearGrpoConfig, fusedLinearGrpo } from '../../src/index.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectError, expectNoLeak, relativeError } from '../support/golden.js';
import { headOf, labelsOf, lossAndGradients, PARTS, type TestHead } from '../support/heads.js';

describeGolden(
  'fusedLinearGrpo',
  ({ x, weight, selectedTokenIds, attentionMask, advantages, ...tensors }, { useRefModel: _, ...options }) =>
    fusedLinearGrpo(x!, weight!, selectedTokenIds!, attentionMask!, advantages!, {
      ...options,
      ...tensors,
    } as FusedLinearGrpoConfig),
);

describe('fusedLinearGrpo', () => {
  const [ROWS, LENGTH] = [2, 3];
  const advantages = [0.5, -1.5];
  const someMask = [
    [1, 1, 0],
    [1, 1, 1],
  ];
  const inputs = () => ({ head: headOf(ROWS, LENGTH), tokens: labelsOf(ROWS, LENGTH) });
  const grpo = (head: TestHead, tokens: tf.Tensor, mask: number[][], config: FusedLinearGrpoConfig) =>
    lossAndGradients(
      head,
      (x, weight, bias) => fusedLinearGrpo(x, weight, tokens, mask, advantages, { ...config, bias }).loss,
    );
  const oldPerTokenLogps = [
    [-1, -2, -3],
    [-3, -2, -1],
  ];

  it('without any token that counts is 0, as its gradients are, of every type', async () => {
    await expectNoLeak(async () => {
      const { head, tokens } = inputs();
      const types = ['grpo', 'bnpo', 'drGrpo', 'dapo', 'cispo', 'sapo', 'luspo', 'vespo'] as const;
      const none = someMask.map((row) => row.map(() => 0));
      for (const lossType of types) {
        const parts = grpo(head, tokens, none, { lossType, maxCompletionLength: LENGTH, oldPerTokenLogps });
        for (const [i, tensor] of parts.entries()) {
          await expectClose(tensor, new Float32Array(tensor.size), 0, `${lossType}: ${PARTS[i]}`);
        }
        tf.dispose(parts);
      }
      tf.dispose([head, tokens] as tf.TensorContainer);
    });
  });

  const third = 1 / LENGTH;
  for (const [lossType, tokenRatios, meaning] of [
    ['dapo', [0.5, 2], 'each'],
    // The ratio of a sequence is the product of its tokens'.
    ['vespo', [0.5 ** third, 2 ** third], 'together'],
  ] as const) {
    it(`is the same of ratios of another engine for sequences and, ${meaning}, for their tokens, of '${lossType}'`, async () => {
      await expectNoLeak(async () => {
        const { head, tokens } = inputs();
        const of = (vllmIsRatio: FusedLinearGrpoConfig['vllmIsRatio']) =>
          grpo(head, tokens, someMask, { lossType, vllmIsRatio, oldPerTokenLogps });
        const [none, rows, column] = [of(undefined), of([0.5, 2]), of([[0.5], [2]])];
        const all = of(tokenRatios.map((ratio) => [ratio, ratio, ratio]));
        for (const [i, tensor] of rows.entries()) {
          await expectClose(tensor, column[i]!, 0, PARTS[i]);
          await expectClose(tensor, all[i]!, 1e-6, PARTS[i]);
        }
        expect(relativeError(await rows[0]!.data(), await none[0]!.data())).to.be.above(0.001);
        tf.dispose([head, tokens, none, rows, column, all] as tf.TensorContainer);
      });
    });
  }

  it('names options that do not go together', async () => {
    await expectNoLeak(async () => {
      const { head, tokens } = inputs();
      const { x, weight } = head;
      const refuses = (config: FusedLinearGrpoConfig, message: RegExp) =>
        expectError(() => fusedLinearGrpo(x, weight, tokens, someMask, advantages, config), message);
      refuses(
        { lossType: 'drGrpo' },
        /^fusedLinearGrpo: option 'maxCompletionLength' must be given for the loss type 'drGrpo', but got undefined$/,
      );
      for (const lossType of ['cispo', 'sapo', 'vespo'] as const) {
        refuses(
          { lossType, importanceSamplingLevel: 'sequence' },
          new RegExp(
            `^fusedLinearGrpo: option 'importanceSamplingLevel' must be 'token' for the loss type '${lossType}', but got 'sequence'$`,
          ),
        );
      }
      refuses(
        { vllmIsRatio: [[1, 1]] },
        /^fusedLinearGrpo: vllmIsRatio must be of shape \[B, T\] = \[2,3\], \[B, 1\] or \[B\], but got a float32 tensor of shape \[1,2\]$/,
      );
      refuses(
        { refInput: x },
        /^fusedLinearGrpo: refInput and refWeight must be given together, but refWeight is missing$/,
      );
      refuses(
        { refInput: x, refWeight: weight, refPerTokenLogps: oldPerTokenLogps },
        /^fusedLinearGrpo: the reference is given twice, as refPerTokenLogps and as refInput; give one of them$/,
      );
      expectError(
        () =>
          fusedLinearGrpo(
            x,
            weight,
            tokens,
            [
              [1, 1, 2],
              [1, 1, 1],
            ],
            advantages,
          ),
        /^fusedLinearGrpo: attentionMask must be in \[0, 2\), but got 2 at position 2$/,
      );
      tf.dispose([head, tokens] as tf.TensorContainer);
    });
  });
});
