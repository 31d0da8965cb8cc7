import { fusedLinearKto, fusedLinearUnpairedPreference, type UnpairedPreferenceLogps } from '../../src/index.js';
import { tf } from '../support/backend.js';
import { expectClose, expectError, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';
import { headOf, labelsOf, lossAndGradients, PARTS } from '../support/heads.js';

describe('fusedLinearUnpairedPreference', () => {
  const wanted = [1, 0, 1];
  const kto = ({ logps, refLogps, isChosen }: UnpairedPreferenceLogps) => {
    const gain = tf.mul(tf.sub(tf.sub(logps, refLogps!), 0.2), 0.1);
    return tf.mean(tf.sub(1, tf.sigmoid(tf.where(tf.cast(isChosen, 'bool'), gain, tf.neg(gain))))) as tf.Tensor;
  };

  it('with the loss of KTO is fusedLinearKto', async () => {
    await expectNoLeak(async () => {
      const [head, labels] = [headOf(3, 2), labelsOf(3, 2)];
      const config = { refLogps: [-4, -2, -3], averageLogProb: true };
      const own = lossAndGradients(
        head,
        (x, weight, bias) => fusedLinearUnpairedPreference(x, weight, labels, wanted, kto, { ...config, bias }).loss,
      );
      const builtIn = lossAndGradients(
        head,
        (x, weight, bias) => fusedLinearKto(x, weight, labels, wanted, { ...config, bias, kl: 0.2 }).loss,
      );
      for (const [i, tensor] of own.entries()) {
        await expectClose(tensor, builtIn[i]!, i === 0 ? OUTPUT_TOLERANCE : GRADIENT_TOLERANCE, PARTS[i]);
      }
      tf.dispose([head, labels, own, builtIn] as tf.TensorContainer);
    });
  });

  it('names a loss that is no function, or returns no scalar', async () => {
    await expectNoLeak(async () => {
      const [{ x, weight, bias }, labels] = [headOf(3, 2), labelsOf(3, 2)];
      const run = (lossOf: unknown) =>
        fusedLinearUnpairedPreference(x, weight, labels, wanted, lossOf as () => tf.Tensor);
      expectError(
        () => run(undefined),
        /^fusedLinearUnpairedPreference: lossOf must be a function, but got undefined$/,
      );
      expectError(
        () => run(({ logps }: UnpairedPreferenceLogps) => logps),
        /^fusedLinearUnpairedPreference: what lossOf returns must be a float32 scalar, or an object with one as loss, but got a float32 tensor of shape \[3\]$/,
      );
      tf.dispose([x, weight, bias, labels] as tf.TensorContainer);
    });
  });
});
