import fc from 'fast-check';
import { cumprod } from '../../../src/gradients/missing/cumprod.js';
import { random } from '../../support/against_composed.js';
import { backendName, tf } from '../../support/backend.js';
import { expectClose, expectNoLeak, GRADIENT_TOLERANCE } from '../../support/golden.js';
import { dot, expectGradients, gradientsBy, slopesOf, withGradients } from '../../support/gradients.js';
import { runsOf } from '../../support/passes.js';

interface Options {
  exclusive: boolean;
  reverse: boolean;
}

const EVERY: readonly Options[] = [false, true].flatMap((exclusive) =>
  [false, true].map((reverse) => ({ exclusive, reverse })),
);

/** The gradient in float64 of the products of a row, each of which is written out. */
function gradientOfRow(x: ArrayLike<number>, dy: ArrayLike<number>, { exclusive, reverse }: Options): number[] {
  const places = Array.from(x, (_, i) => i);
  const isIn = (j: number, k: number) => (j === k ? !exclusive : reverse ? j > k : j < k);
  const without = (i: number, k: number) =>
    places.reduce((product, j) => (j !== i && isIn(j, k) ? product * x[j]! : product), 1);
  return places.map((i) => places.reduce((sum, k) => (isIn(i, k) ? sum + dy[k]! * without(i, k) : sum), 0));
}

/** The same of each row along the middle axis of [outer, n, inner]. */
function gradientInFloat64(
  x: ArrayLike<number>,
  dy: ArrayLike<number>,
  [outer, n, inner]: readonly [number, number, number],
  options: Options,
): number[] {
  const dx = new Array<number>(x.length);
  for (let row = 0; row < outer * inner; row++) {
    const place = (i: number) => (Math.floor(row / inner) * n + i) * inner + (row % inner);
    const rowOf = (values: ArrayLike<number>) => Array.from({ length: n }, (_, i) => values[place(i)]!);
    for (const [i, slope] of gradientOfRow(rowOf(x), rowOf(dy), options).entries()) dx[place(i)] = slope;
  }
  return dx;
}

const cumprodOf =
  (axis: number, { exclusive, reverse }: Options) =>
  (x: tf.Tensor) =>
    tf.cumprod(x, axis, exclusive, reverse);

describe('the gradient of cumprod', () => {
  withGradients(cumprod);

  for (const options of EVERY) {
    const name = `${options.exclusive ? ', exclusive' : ''}${options.reverse ? ', reversed' : ''}`;

    it(`where elements are 0${name}`, async () => {
      for (const row of [[2, 3, 0.5, 4], [2, 0, 3, 4], [0, 2, 0, 3, 5], [0, 0, 0], [3, 2, 0], [-7], [0]]) {
        await expectNoLeak(async () => {
          const [x, dy] = [tf.tensor1d(row), random([row.length], 2)];
          const expected = gradientOfRow(row, await dy.data(), options);
          await expectGradients(cumprodOf(0, options), [x], dy, [expected]);
          tf.dispose([x, dy]);
        });
      }
    });

    it(`along any axis${name}`, async () => {
      const size = fc.constantFrom(1, 2, 3, 4, 5, 7);
      await fc.assert(
        fc.asyncProperty(size, fc.constantFrom(1, 2, 3, 5, 8, 13, 33), size, async (outer, n, inner) => {
          const sizes = [outer, n, inner] as const;
          const [x, dy] = [tf.tidy(() => tf.mul(random([...sizes]), 1.7)), random([...sizes], 2)];
          const expected = gradientInFloat64(await x.data(), await dy.data(), sizes, options);
          await expectGradients(cumprodOf(1, options), [x], dy, [expected]);
          tf.dispose([x, dy]);
        }),
        { numRuns: runsOf(backendName === 'webgpu' ? 4 : 12), seed: 1, endOnFailure: true },
      );
    });

    it(`is differentiable${name}`, async () => {
      await expectNoLeak(async () => {
        const row = [0.5, 0, -1.5, 2];
        const [x, dy, weights] = [tf.tensor1d(row), random([4], 2), random([4], 3)];
        const [slopes, weightValues] = [await dy.data(), await weights.data()];
        const expected = slopesOf((values) => dot(gradientOfRow(values, slopes, options), weightValues), row);
        const weighted = (v: tf.Tensor) => tf.sum(tf.mul(tf.grad(cumprodOf(0, options))(v, dy), weights));
        await expectGradients(weighted, [x], undefined, [expected]);
        tf.dispose([x, dy, weights]);
      });
    });
  }

  it('along the first and the last axis, counted from either end', async () => {
    await expectNoLeak(async () => {
      const [x, dy] = [random([3, 4, 2]), random([3, 4, 2], 2)];
      const [values, slopes] = [await x.data(), await dy.data()];
      const options = { exclusive: false, reverse: false };
      for (const [axis, sizes] of [
        [0, [1, 3, 8]],
        [2, [12, 2, 1]],
        [-1, [12, 2, 1]],
        [-2, [3, 4, 2]],
      ] as const) {
        const gradient = gradientsBy(cumprod, dy, [x], { axis, ...options });
        await expectClose(
          gradient.x!,
          gradientInFloat64(values, slopes, sizes, options),
          GRADIENT_TOLERANCE,
          `${axis}`,
        );
        tf.dispose(gradient);
      }
      tf.dispose([x, dy]);
    });
  });

  it('of nothing', () => {
    expectNoLeak(() => {
      const x = tf.zeros([2, 0]);
      tf.dispose([
        x,
        gradientsBy(cumprod, x, [x], { axis: 1, exclusive: false, reverse: false }),
      ] as tf.TensorContainer);
    });
  });
});
