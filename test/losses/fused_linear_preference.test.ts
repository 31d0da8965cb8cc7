import {
  type FusedLinearDpoConfig,
  fusedLinearDpo,
  fusedLinearPreference,
  type PreferenceLogps,
} from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { expectClose, expectError, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';
import { headOf, labelsOf, lossAndGradients, PARTS } from '../support/heads.js';

describe('fusedLinearPreference', () => {
  const dpo = ({ chosenLogps, rejectedLogps, refChosenLogps, refRejectedLogps }: PreferenceLogps) => {
    const margin = tf.sub(tf.sub(chosenLogps, refChosenLogps!), tf.sub(rejectedLogps, refRejectedLogps!));
    return tf.neg(tf.mean(tf.log(tf.sigmoid(tf.mul(margin, 0.1))))) as tf.Tensor;
  };

  it('with the loss of DPO is fusedLinearDpo', async () => {
    await expectNoLeak(async () => {
      const [head, labels] = [headOf(4, 3), labelsOf(4, 3)];
      const model = { refInput: random([4, 3, 3], 5), refWeight: random([5, 3], 6) };
      const config: FusedLinearDpoConfig = { ...model, computeNllLoss: true, alpha: 0.5, averageLogProb: false };
      const own = lossAndGradients(
        head,
        (x, weight, bias) => fusedLinearPreference(x, weight, labels, dpo, { ...config, bias }).loss,
      );
      const builtIn = lossAndGradients(
        head,
        (x, weight, bias) => fusedLinearDpo(x, weight, labels, { ...config, bias }).loss,
      );
      for (const [i, tensor] of own.entries()) {
        await expectClose(tensor, builtIn[i]!, i === 0 ? OUTPUT_TOLERANCE : GRADIENT_TOLERANCE, PARTS[i]);
      }
      tf.dispose([head, labels, model, own, builtIn] as tf.TensorContainer);
    });
  });

  it('returns what its loss returns beside the loss', async () => {
    await expectNoLeak(async () => {
      const [{ x, weight, bias }, labels] = [headOf(4, 3), labelsOf(4, 3)];
      const lossOf = ({ chosenLogps, rejectedLogps }: PreferenceLogps) => {
        const margins = tf.sub(chosenLogps, rejectedLogps);
        return { loss: tf.neg(tf.mean(margins)) as tf.Tensor, margins };
      };
      const result = fusedLinearPreference(x, weight, labels, lossOf, { computeNllLoss: false });
      const margins = tf.sub(result.chosenLogps, result.rejectedLogps);
      const loss = tf.tidy(() => tf.neg(tf.mean(margins)));
      await expectClose(result.margins, margins, 0, 'margins');
      await expectClose(result.loss, loss, OUTPUT_TOLERANCE, 'loss');
      tf.dispose([x, weight, bias, labels, result, margins, loss] as tf.TensorContainer);
    });
  });

  it('names a loss that is no function, or returns no scalar', async () => {
    await expectNoLeak(async () => {
      const [{ x, weight, bias }, labels] = [headOf(4, 3), labelsOf(4, 3)];
      const run = (lossOf: unknown) => fusedLinearPreference(x, weight, labels, lossOf as () => tf.Tensor);
      const returned = (what: unknown) =>
        `what lossOf returns must be a float32 scalar, or an object with one as loss, but got ${what}`;
      const cases: Array<[lossOf: unknown, message: string]> = [
        [{ averageLogProb: false }, 'lossOf must be a function, but got an object'],
        [({ chosenLogps }: PreferenceLogps) => chosenLogps, returned('a float32 tensor of shape [2]')],
        [() => tf.scalar(1, 'int32'), returned('an int32 tensor of shape []')],
        [({ chosenLogps }: PreferenceLogps) => ({ lost: tf.sum(chosenLogps) }), returned('an object')],
        [() => 1, returned('1')],
        [() => undefined, returned('undefined')],
      ];
      for (const [lossOf, message] of cases) {
        const escaped = message.replace(/[[\]]/g, '\\$&');
        expectError(() => run(lossOf), new RegExp(`^fusedLinearPreference: ${escaped}$`));
      }
      tf.dispose([x, weight, bias, labels] as tf.TensorContainer);
    });
  });
});
