import { klDiv } from '../../src/index.js';
import { KlDiv, KlDivGrad } from '../../src/kernels/contracts/kl_div.js';
import { itDifferentiatesByName } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeDivergence, logProbabilities, probabilities } from '../support/divergences.js';
import { describeGolden, expectClose, expectError, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('klDiv', ({ input, target }, options) => ({ loss: klDiv(input!, target!, options) }));

describe('klDiv', () => {
  const make = (rows: number, columns: number) => ({
    input: logProbabilities(rows, columns, 1),
    target: probabilities(rows, columns, 2),
  });
  describeDivergence(KlDiv, KlDivGrad, make, [{ logTarget: false }, { logTarget: true }]);

  it('has no loss where the target is 0, whatever the input, and none without rows', async () => {
    await expectNoLeak(async () => {
      const [input, target] = [tf.tensor2d([[-Infinity, Math.log(0.5), -1]]), tf.tensor2d([[0, 1, 0]])];
      const loss = klDiv(input, target, { reduction: 'sum' });
      await expectClose(loss, [Math.LN2], OUTPUT_TOLERANCE);
      const inLogs = klDiv(input, [[-Infinity, 0, -Infinity]], { reduction: 'sum', logTarget: true });
      await expectClose(inLogs, [Math.LN2], OUTPUT_TOLERANCE);
      const none = tf.tidy(() => klDiv(tf.zeros([0, 3]), tf.zeros([0, 3])));
      await expectClose(none, [0], 0);
      tf.dispose([input, target, loss, inLogs, none]);
    });
  });

  it('names a reduction that there is not', () => {
    expectError(
      () => klDiv([[0]], [[1]], { reduction: 'average' as never }),
      /^klDiv: option 'reduction' must be one of 'mean', 'batchmean', 'sum', 'none', but got 'average'$/,
    );
  });

  itDifferentiatesByName(
    KlDiv,
    () => {
      const { input, target } = tf.tidy(() => make(4, 6));
      return {
        inputs: { input },
        constants: { target },
        attrs: { reduction: 'mean', logTarget: false, ignoreIndex: 0 },
      };
    },
    ({ input, target }) => klDiv(input!, target!),
  );
});
