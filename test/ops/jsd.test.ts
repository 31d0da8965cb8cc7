import { expect } from 'chai';
import { jsd, klDiv } from '../../src/index.js';
import { Jsd, JsdGrad } from '../../src/kernels/contracts/jsd.js';
import { itDifferentiatesByName } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeDivergence, logProbabilities } from '../support/divergences.js';
import { describeGolden, expectClose, expectError, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('jsd', ({ logQ, logP, labels }, options) => ({ loss: jsd(logQ!, logP!, { ...options, labels }) }));

describe('jsd', () => {
  const make = (rows: number, columns: number) => ({
    input: logProbabilities(rows, columns, 1),
    target: logProbabilities(rows, columns, 2),
  });
  describeDivergence(Jsd, JsdGrad, make, [{ beta: 0.5 }, { beta: 0 }, { beta: 1 }, { beta: 0.3 }], ['batchmean']);

  it('is klDiv where beta is 0, and 0 of rows that are alike, that are all ignored, and of none', async () => {
    await expectNoLeak(async () => {
      const { input, target } = tf.tidy(() => make(5, 7));
      const forward = jsd(input, target, { beta: 0 });
      const expected = klDiv(input, target, { reduction: 'batchmean', logTarget: true });
      await expectClose(forward, expected, OUTPUT_TOLERANCE);
      const alike = jsd(input, input);
      expect(Math.abs((await alike.data())[0]!)).to.be.below(1e-7);
      const ignored = jsd(input, target, { labels: [-100, -100, -100, -100, -100] });
      await expectClose(ignored, [0], 0);
      const none = tf.tidy(() => jsd(tf.zeros([0, 7]), tf.zeros([0, 7])));
      await expectClose(none, [0], 0);
      tf.dispose([input, target, forward, expected, alike, ignored, none]);
    });
  });

  it('names a beta that is no share', () => {
    expectError(
      () => jsd([[0]], [[0]], { beta: 1.5 }),
      /^jsd: option 'beta' must be a finite number in \[0, 1\], but got 1.5$/,
    );
  });

  itDifferentiatesByName(
    Jsd,
    () => {
      const { input, target } = tf.tidy(() => make(4, 6));
      const attrs = { beta: 0.3, reduction: 'batchmean', ignoreIndex: -100 };
      return { inputs: { input }, constants: { target }, attrs };
    },
    ({ input, target }) => jsd(input!, target!, { beta: 0.3 }),
  );
});
