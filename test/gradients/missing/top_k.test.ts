import fc from 'fast-check';
import { topK } from '../../../src/gradients/missing/top_k.js';
import { random } from '../../support/against_composed.js';
import { backendName, tf } from '../../support/backend.js';
import { expectNoLeak } from '../../support/golden.js';
import { expectGradients, withGradients } from '../../support/gradients.js';
import { runsOf } from '../../support/passes.js';

describe('the gradient of topk', () => {
  withGradients(topK);

  it('goes to where the values were', async () => {
    const sizes = fc.tuple(fc.constantFrom([], [1], [3], [2, 3]), fc.constantFrom(1, 2, 5, 8, 33), fc.nat(6));
    await fc.assert(
      fc.asyncProperty(sizes, async ([outer, columns, more]) => {
        await expectNoLeak(async () => {
          const k = Math.min(1 + more, columns);
          const [x, dy] = [random([...outer, columns]), random([...outer, k], 2)];
          const [values, slopes] = [await x.data(), await dy.data()];
          const expected = new Array<number>(x.size).fill(0);
          for (let row = 0; row < x.size / columns; row++) {
            const places = Array.from({ length: columns }, (_, i) => row * columns + i);
            const largest = places.sort((i, j) => values[j]! - values[i]!).slice(0, k);
            for (const [i, place] of largest.entries()) expected[place] = slopes[row * k + i]!;
          }
          await expectGradients((v) => tf.topk(v!, k).values, [x], dy, [expected]);
          tf.dispose([x, dy]);
        });
      }),
      { numRuns: runsOf(backendName === 'webgpu' ? 5 : 30), seed: 1, endOnFailure: true },
    );
  });

  it('of probabilities that a router chose', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor2d([
        [1, 3, 2],
        [6, 4, 5],
      ]);
      // v / (v + w) of the two largest, of which the slopes are w / (v + w)² and -v / (v + w)².
      const share = (logits: tf.Tensor) => {
        const { values } = tf.topk(logits, 2);
        return tf.div(tf.slice(values, [0, 0], [2, 1]), tf.sum(values, 1, true));
      };
      await expectGradients(share, [x], undefined, [[0, 2 / 25, -3 / 25, 5 / 121, 0, -6 / 121]]);
      x.dispose();
    });
  });
});
