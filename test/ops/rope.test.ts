import { expect } from 'chai';
import fc from 'fast-check';
import { rope } from '../../src/index.js';
import { Rope } from '../../src/kernels/contracts/rope.js';
import type { HeadLayout } from '../../src/kernels/contracts/shared/rotation_shape.js';
import { describeAgainstComposed, itDifferentiatesByName, random, smallOddSize } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectError, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('rope', ({ q, k, cos, sin }, options) => ({ ...rope(q!, k!, cos!, sin!, options) }));

describe('rope', () => {
  const heads = fc.constantFrom(1, 2, 3, 4, 5, 9);
  /** How many of a head's floats are rotated, and how many pass. */
  const headSizes = fc.tuple(
    fc.constantFrom(2, 4, 6, 8, 16, 20, 64, 98, 128, 520),
    fc.oneof(fc.constant(0), fc.constantFrom(1, 2, 4, 8, 48, 300)),
  );
  const layouts = fc.constantFrom<HeadLayout>('bhtd', 'bthd', 'thd');

  describeAgainstComposed(
    Rope,
    [fc.constantFrom(1, 2, 3), heads, heads, smallOddSize, headSizes, layouts, fc.boolean(), fc.boolean()],
    (batches, queryHeads, keyHeads, length, [rotaryDim, rest], layout, perBatch, transposed) => {
      const headSize = rotaryDim + rest;
      const shapeOf = (heads: number) =>
        ({
          bhtd: [batches, heads, length, headSize],
          bthd: [batches, length, heads, headSize],
          thd: [length, heads, headSize],
        })[layout];
      const angles = perBatch && layout !== 'thd' ? [batches, length, rotaryDim] : [1, length, rotaryDim];
      return {
        inputs: {
          q: random(shapeOf(queryHeads)),
          k: random(shapeOf(keyHeads), 2),
          cos: random(angles, 3),
          sin: random(angles, 4),
        },
        attrs: { layout, transposed },
      };
    },
    { numRuns: 24 },
  );

  it('takes arrays', async () => {
    await expectNoLeak(async () => {
      const { q, k } = rope([[[[1, 2]]]], [[[[3, 4]]]], [[[0.5, 2]]], [[[3, 5]]]);
      await expectClose(q, [1 * 0.5 - 2 * 3, 2 * 2 + 1 * 5], OUTPUT_TOLERANCE);
      await expectClose(k, [3 * 0.5 - 4 * 3, 4 * 2 + 3 * 5], OUTPUT_TOLERANCE);
      tf.dispose([q, k]);
    });
  });

  it('rotates heads in every layout alike, and back', async () => {
    await expectNoLeak(async () => {
      const [q, k] = [random([1, 3, 5, 10]), random([1, 2, 5, 10], 2)];
      const [cos, sin] = [random([1, 5, 4], 3), random([1, 5, 4], 4)];
      const gradients = (layout: HeadLayout, toLayout: (x: tf.Tensor) => tf.Tensor, tables: tf.Tensor[]) =>
        tf.tidy(() => {
          const rotated = (...xs: tf.Tensor[]) => {
            const y = rope(toLayout(xs[0]!), toLayout(xs[1]!), tables[0]!, tables[1]!, { layout });
            return tf.concat([tf.mul(y.q, toLayout(q)).flatten(), tf.mul(y.k, toLayout(k)).flatten()]);
          };
          const { value, grads } = tf.valueAndGrads((...xs: tf.Tensor[]) => tf.sum(tf.square(rotated(...xs))))([q, k]);
          return [value, ...grads];
        });
      const byToken = (x: tf.Tensor) => tf.transpose(x, [0, 2, 1, 3]);
      const withoutBatch = (x: tf.Tensor) => tf.squeeze(byToken(x), [0]);
      const tables = [tf.squeeze(cos, [0]), tf.squeeze(sin, [0])];
      const expected = gradients('bhtd', (x) => x, [cos, sin]);
      for (const actual of [
        gradients('bthd', byToken, [cos, sin]),
        gradients('thd', withoutBatch, [cos, sin]),
        gradients('thd', withoutBatch, tables),
      ]) {
        for (const [i, tensor] of actual.entries()) await expectClose(tensor, expected[i]!, OUTPUT_TOLERANCE);
        tf.dispose(actual);
      }
      tf.dispose([q, k, cos, sin, tables, expected]);
    });
  });

  it('passes what it does not rotate, whatever it is', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor([3, 4, Number.POSITIVE_INFINITY, -7], [1, 1, 4]);
      const { q, k } = rope(x, x, [[2, 2]], [[1, 1]], { layout: 'thd', rotaryDim: 2 });
      for (const rotated of [q, k]) {
        expect([...(await rotated.data())]).to.deep.equal([3 * 2 - 4, 4 * 2 + 3, Number.POSITIVE_INFINITY, -7]);
      }
      tf.dispose([x, q, k]);
    });
  });

  it('differentiates one of q and k alone, by angles of each batch', async () => {
    await expectNoLeak(async () => {
      const [q, k] = [random([2, 3, 5, 8]), random([2, 1, 5, 8], 2)];
      const [cos, sin] = [random([2, 5, 8], 3), random([2, 5, 8], 4)];
      // The rotation is linear, so <dy, R x> = <Rᵀ dy, x>.
      const dy = random([2, 3, 5, 8], 5);
      const dq = tf.grad((t) => tf.sum(tf.mul(dy, rope(t, k, cos, sin).q)))(q);
      const [there, back] = tf.tidy(() => [tf.sum(tf.mul(dy, rope(q, k, cos, sin).q)), tf.sum(tf.mul(dq, q))]) as [
        tf.Tensor,
        tf.Tensor,
      ];
      await expectClose(there, back, 1e-5);
      tf.dispose([q, k, cos, sin, dy, dq, there, back]);
    });
  });

  itDifferentiatesByName(
    Rope,
    () => ({
      inputs: { q: random([1, 2, 3, 4]) },
      constants: { k: random([1, 2, 3, 4], 2), cos: random([1, 3, 4], 3), sin: random([1, 3, 4], 4) },
      attrs: { layout: 'bhtd', transposed: false },
    }),
    ({ q, k, cos, sin }) => rope(q!, k!, cos!, sin!).q,
  );

  it('names what is wrong', () => {
    const [q, wide] = [tf.ones([3, 2, 5, 8]), tf.ones([1, 5, 10])];
    const [two, odd, cos] = [tf.ones([2, 5, 8]), tf.ones([1, 5, 7]), tf.ones([1, 5, 4])];
    expectError(
      () => rope(q, q, odd, odd),
      /^rope: cos must be of an even last dimension of at most D = 8, but got a float32 tensor of shape \[1,5,7\]$/,
    );
    expectError(
      () => rope(q, q, wide, wide),
      /^rope: cos must be of an even last dimension of at most D = 8, but got a float32 tensor of shape \[1,5,10\]$/,
    );
    for (const rotaryDim of [7, 10]) {
      expectError(
        () => rope(q, q, cos, cos, { rotaryDim }),
        new RegExp(`^rope: option 'rotaryDim' must be an even number of at most D = 8, but got ${rotaryDim}$`),
      );
    }
    expectError(
      () => rope(q, q, cos, cos, { rotaryDim: 6 }),
      /^rope: cos must be of a last dimension of rotaryDim = 6, but got a float32 tensor of shape \[1,5,4\]$/,
    );
    expectError(
      () => rope(q, q, two, two),
      /^rope: cos must be of shape \[1 or 3, T, R\], but got a float32 tensor of shape \[2,5,8\]$/,
    );
    tf.dispose([q, wide, two, odd, cos]);
  });
});
