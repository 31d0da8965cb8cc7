import fc from 'fast-check';
import { gatherNd } from '../../../src/gradients/missing/gather_nd.js';
import { scatterNd } from '../../../src/gradients/missing/scatter_nd.js';
import { random } from '../../support/against_composed.js';
import { backendName, tf } from '../../support/backend.js';
import { expectClose, expectNoLeak } from '../../support/golden.js';
import { expectGradients, gradientsBy, withGradients, withoutCpuForwarding } from '../../support/gradients.js';
import { placesOf } from '../../support/indices.js';
import { runsOf } from '../../support/passes.js';

describe('the gradient of gatherND', () => {
  withGradients(gatherNd, scatterNd);
  withoutCpuForwarding();

  it('adds up what was gathered from the same place', async () => {
    const size = fc.constantFrom(1, 2, 3, 5);
    await fc.assert(
      fc.asyncProperty(
        size,
        size,
        size,
        fc.constantFrom(1, 2, 3),
        fc.constantFrom(1, 2, 7, 16),
        async (a, b, c, depth, count) => {
          await expectNoLeak(async () => {
            const shape = [a, b, c];
            const { indices, places, inner } = placesOf(shape, [count], depth);
            const [x, dy] = [random(shape), random([count, ...shape.slice(depth)], 2)];
            const expected = new Array<number>(x.size).fill(0);
            for (const [i, slope] of (await dy.data()).entries()) {
              expected[places[Math.floor(i / inner)]! * inner + (i % inner)]! += slope;
            }
            await expectGradients((params) => tf.gatherND(params!, indices), [x], dy, [expected]);
            tf.dispose([x, dy, indices]);
          });
        },
      ),
      { numRuns: runsOf(backendName === 'webgpu' ? 5 : 30), seed: 1, endOnFailure: true },
    );
  });

  it('takes one place, and places in several dimensions', async () => {
    await expectNoLeak(async () => {
      const x = random([3, 2]);
      const one = tf.tensor1d([2, 1], 'int32');
      await expectGradients((params) => tf.gatherND(params!, one), [x], undefined, [[0, 0, 0, 0, 0, 1]]);
      const many = tf.tensor3d(
        [
          [[0], [2]],
          [[2], [2]],
        ],
        undefined,
        'int32',
      );
      const dy = tf.tensor3d([
        [
          [1, 2],
          [3, 4],
        ],
        [
          [5, 6],
          [7, 8],
        ],
      ]);
      await expectGradients((params) => tf.gatherND(params!, many), [x], dy, [[1, 2, 0, 0, 15, 18]]);
      tf.dispose([x, one, many, dy]);
    });
  });

  it('is differentiable', async () => {
    await expectNoLeak(async () => {
      const { indices, places } = placesOf([4, 3], [5], 1);
      const [x, dy, weights] = [random([4, 3]), random([5, 3], 2), random([4, 3], 3)];
      // The gradient is linear in dy.
      const weighted = (slope: tf.Tensor) =>
        tf.sum(tf.mul(tf.grad((params: tf.Tensor) => tf.gatherND(params, indices))(x, slope), weights));
      const values = await weights.data();
      const expected = places.flatMap((place) => [...values.slice(3 * place, 3 * place + 3)]);
      await expectGradients(weighted, [dy], undefined, [expected]);
      tf.dispose([x, dy, weights, indices]);
    });
  });

  it('is 0 where nothing was gathered', async () => {
    await expectNoLeak(async () => {
      const [x, indices, dy] = [random([3, 2]), tf.zeros([0, 1], 'int32'), tf.zeros([0, 2])];
      const gradients = gradientsBy(gatherNd, dy, [x, indices]);
      await expectClose(gradients.params!, [0, 0, 0, 0, 0, 0], 0);
      tf.dispose([x, indices, dy, gradients] as tf.TensorContainer);
    });
  });
});
