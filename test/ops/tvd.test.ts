import { tvd } from '../../src/index.js';
import { Tvd, TvdGrad } from '../../src/kernels/contracts/tvd.js';
import { itDifferentiatesByName } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeDivergence, probabilities } from '../support/divergences.js';
import { describeGolden, expectClose, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('tvd', ({ p, q, labels }, options) => ({ loss: tvd(p!, q!, { ...options, labels }) }));

describe('tvd', () => {
  const make = (rows: number, columns: number) => ({
    input: probabilities(rows, columns, 1),
    target: probabilities(rows, columns, 2),
  });
  describeDivergence(Tvd, TvdGrad, make, [{}]);

  it('is half of what two distributions do not share, of the rows that count', async () => {
    await expectNoLeak(async () => {
      const p = [
        [1, 0],
        [0.5, 0.5],
        [0, 1],
      ];
      const q = [
        [0, 1],
        [0.25, 0.75],
        [0, 1],
      ];
      const all = tvd(p, q, { reduction: 'batchmean' });
      const some = tvd(p, q, { reduction: 'batchmean', labels: [1, 7, 1], ignoreIndex: 7 });
      await expectClose(all, [1.25 / 3], OUTPUT_TOLERANCE);
      await expectClose(some, [0.5], OUTPUT_TOLERANCE);
      tf.dispose([all, some]);
    });
  });

  itDifferentiatesByName(
    Tvd,
    () => {
      const { input, target } = tf.tidy(() => make(4, 6));
      return { inputs: { input }, constants: { target }, attrs: { reduction: 'mean', ignoreIndex: -100 } };
    },
    ({ input, target }) => tvd(input!, target!),
  );
});
