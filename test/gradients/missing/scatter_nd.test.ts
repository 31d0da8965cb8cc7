import fc from 'fast-check';
import { scatterNd } from '../../../src/gradients/missing/scatter_nd.js';
import { tensorScatterUpdate } from '../../../src/gradients/missing/tensor_scatter_update.js';
import { random } from '../../support/against_composed.js';
import { backendName, tf } from '../../support/backend.js';
import { expectClose, expectNoLeak } from '../../support/golden.js';
import { expectGradients, gradientsBy, withGradients, withoutCpuForwarding } from '../../support/gradients.js';
import { placesOf } from '../../support/indices.js';
import { runsOf } from '../../support/passes.js';

const size = fc.constantFrom(1, 2, 3, 5);
const sizes = fc.tuple(size, size, size);
const runs = { numRuns: runsOf(backendName === 'webgpu' ? 5 : 30), seed: 1, endOnFailure: true };

describe('the gradient of scatterND', () => {
  withGradients(scatterNd);
  withoutCpuForwarding();

  it('gives each update what its place has', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.constantFrom(1, 2, 3), fc.constantFrom(1, 2, 7), async (shape, depth, count) => {
        await expectNoLeak(async () => {
          const { indices, places, inner } = placesOf(shape, [count], depth);
          const [updates, dy] = [random([count, ...shape.slice(depth)]), random(shape, 2)];
          const slopes = await dy.data();
          const expected = places.flatMap((place) => [...slopes.slice(place * inner, (place + 1) * inner)]);
          await expectGradients((values) => tf.scatterND(indices, values!, shape), [updates], dy, [expected]);
          tf.dispose([updates, dy, indices]);
        });
      }),
      runs,
    );
  });

  it('of no updates', async () => {
    await expectNoLeak(async () => {
      const [indices, updates, dy] = [tf.zeros([0, 1], 'int32'), tf.zeros([0, 2]), tf.ones([3, 2])];
      const gradients = gradientsBy(scatterNd, dy, [indices, updates]);
      await expectClose(gradients.updates!, updates, 0);
      tf.dispose([indices, updates, dy, gradients] as tf.TensorContainer);
    });
  });
});

describe('the gradient of tensorScatterUpdate', () => {
  withGradients(tensorScatterUpdate);
  withoutCpuForwarding();

  it('goes to the updates where there are some, and to the tensor elsewhere', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.constantFrom(1, 2, 3), fc.nat(3), async (shape, depth, more) => {
        await expectNoLeak(async () => {
          const count = Math.min(1 + more, tf.util.sizeFromShape(shape.slice(0, depth)));
          const { indices, places, inner } = placesOf(shape, [count], depth, true);
          const [tensor, updates, dy] = [random(shape), random([count, ...shape.slice(depth)], 2), random(shape, 3)];
          const slopes = await dy.data();
          const kept = slopes.map((slope, i) => (places.includes(Math.floor(i / inner)) ? 0 : slope));
          const updated = places.flatMap((place) => [...slopes.slice(place * inner, (place + 1) * inner)]);
          await expectGradients(
            (own, values) => tf.tensorScatterUpdate(own!, indices, values!),
            [tensor, updates],
            dy,
            [kept, updated],
          );
          tf.dispose([tensor, updates, dy, indices]);
        });
      }),
      runs,
    );
  });

  it('leaves no update of infinities in the tensor’s', async () => {
    await expectNoLeak(async () => {
      const [tensor, updates] = [random([3]), random([1], 2)];
      const indices = tf.tensor2d([[1]], undefined, 'int32');
      const dy = tf.tensor1d([1, Number.POSITIVE_INFINITY, 3]);
      const f = (own: tf.Tensor) => tf.tensorScatterUpdate(own, indices, updates);
      await expectGradients(f, [tensor], dy, [[1, 0, 3]]);
      tf.dispose([tensor, updates, indices, dy]);
    });
  });
});
