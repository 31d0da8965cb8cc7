import { fusedLinearPolicy, type PolicyLogps } from '../../src/index.js';
import { tf } from '../support/backend.js';
import { expectClose, expectError, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';
import { headOf, labelsOf, lossAndGradients, PARTS } from '../support/heads.js';

describe('fusedLinearPolicy', () => {
  const [ROWS, LENGTH] = [2, 3];
  const TEMPERATURE = 0.7;
  const advantages = [0.5, -1.5];
  const attentionMask = [
    [1, 1, 0],
    [1, 1, 1],
  ];
  type Tokens = Pick<PolicyLogps, 'perTokenLogps' | 'mask' | 'advantages'> & { entropies: tf.Tensor };

  /** With a bonus for entropy. */
  const reinforce = ({ perTokenLogps, entropies, mask, advantages }: Tokens) => {
    const gain = tf.add(tf.mul(perTokenLogps, tf.reshape(advantages, [ROWS, 1])), tf.mul(entropies, 0.05));
    return tf.neg(tf.div(tf.sum(tf.mul(gain, mask)), tf.sum(mask))) as tf.Tensor;
  };

  it('with the loss of REINFORCE and a bonus for entropy is that of the whole logits', async () => {
    await expectNoLeak(async () => {
      const [head, tokens] = [headOf(ROWS, LENGTH), labelsOf(ROWS, LENGTH)];
      const config = { temperature: TEMPERATURE, computeEntropy: true, chunkSize: 4 };
      const own = lossAndGradients(
        head,
        (x, weight, bias) =>
          fusedLinearPolicy(x, weight, tokens, attentionMask, advantages, (logps) => reinforce(logps as Tokens), {
            ...config,
            bias,
          }).loss,
      );
      const composed = lossAndGradients(head, (x, weight, bias) => {
        const rows = tf.reshape(x, [ROWS * LENGTH, 4]) as tf.Tensor2D;
        const logits = tf.div(tf.add(tf.matMul(rows, weight as tf.Tensor2D, false, true), bias), TEMPERATURE);
        const logP = tf.logSoftmax(logits as tf.Tensor2D);
        // The one token that is ignored has neither.
        const counts = tf.cast(tf.notEqual(tokens, -100), 'float32');
        const selected = tf.sum(
          tf.mul(logP, tf.oneHot(tf.reshape(tf.maximum(tokens, tf.scalar(0, 'int32')), [-1]), 5)),
          1,
        );
        const perToken = (values: tf.Tensor) => tf.mul(tf.reshape(values, [ROWS, LENGTH]), counts) as tf.Tensor2D;
        return reinforce({
          perTokenLogps: perToken(selected),
          entropies: perToken(tf.neg(tf.sum(tf.mul(tf.exp(logP), logP), 1))),
          mask: tf.tensor2d(attentionMask),
          advantages: tf.tensor1d(advantages),
        });
      });
      for (const [i, tensor] of own.entries()) {
        await expectClose(tensor, composed[i]!, i === 0 ? OUTPUT_TOLERANCE : GRADIENT_TOLERANCE, PARTS[i]);
      }
      tf.dispose([head, tokens, own, composed] as tf.TensorContainer);
    });
  });

  it('names a loss that is no function, or returns no scalar', async () => {
    await expectNoLeak(async () => {
      const [{ x, weight, bias }, tokens] = [headOf(ROWS, LENGTH), labelsOf(ROWS, LENGTH)];
      const run = (lossOf: unknown) =>
        fusedLinearPolicy(x, weight, tokens, attentionMask, advantages, lossOf as () => tf.Tensor);
      expectError(() => run('reinforce'), /^fusedLinearPolicy: lossOf must be a function, but got 'reinforce'$/);
      expectError(
        () => run(({ perTokenLogps }: PolicyLogps) => perTokenLogps),
        /^fusedLinearPolicy: what lossOf returns must be a float32 scalar, or an object with one as loss, but got a float32 tensor of shape \[2,3\]$/,
      );
      tf.dispose([x, weight, bias, tokens] as tf.TensorContainer);
    });
  });
});
