import fc from 'fast-check';
import { rope } from '../../src/index.js';
import { Rope } from '../../src/kernels/contracts/rope.js';
import { describeAgainstComposed, itDifferentiatesByName, random, smallOddSize } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectError, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('rope', ({ q, k, cos, sin }) => ({ ...rope(q!, k!, cos!, sin!) }));

describe('rope', () => {
  const heads = fc.constantFrom(1, 2, 3, 4, 5, 9);
  const evenSize = fc.constantFrom(2, 4, 6, 8, 16, 20, 64, 98, 128, 520);

  describeAgainstComposed(
    Rope,
    [fc.constantFrom(1, 2, 3), heads, heads, smallOddSize, evenSize, fc.boolean(), fc.boolean()],
    (batches, queryHeads, keyHeads, length, headSize, perBatch, transposed) => ({
      inputs: {
        q: random([batches, queryHeads, length, headSize]),
        k: random([batches, keyHeads, length, headSize], 2),
        cos: random([perBatch ? batches : 1, length, headSize], 3),
        sin: random([perBatch ? batches : 1, length, headSize], 4),
      },
      attrs: { transposed },
    }),
    { numRuns: 30 },
  );

  it('takes arrays', async () => {
    await expectNoLeak(async () => {
      const { q, k } = rope([[[[1, 2]]]], [[[[3, 4]]]], [[[0.5, 2]]], [[[3, 5]]]);
      await expectClose(q, [1 * 0.5 - 2 * 3, 2 * 2 + 1 * 5], OUTPUT_TOLERANCE);
      await expectClose(k, [3 * 0.5 - 4 * 3, 4 * 2 + 3 * 5], OUTPUT_TOLERANCE);
      tf.dispose([q, k]);
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
      attrs: { transposed: false },
    }),
    ({ q, k, cos, sin }) => rope(q!, k!, cos!, sin!).q,
  );

  it('names what is wrong', () => {
    const [q, odd] = [tf.ones([3, 2, 5, 8]), tf.ones([3, 2, 5, 7])];
    const [two, oddCos] = [tf.ones([2, 5, 8]), tf.ones([1, 5, 7])];
    expectError(
      () => rope(odd, odd, oddCos, oddCos),
      /^rope: q must have an even last dimension, but got a float32 tensor of shape \[3,2,5,7\]$/,
    );
    expectError(
      () => rope(q, q, two, two),
      /^rope: cos must be of shape \[1 or 3, T, D\], but got a float32 tensor of shape \[2,5,8\]$/,
    );
    tf.dispose([q, odd, two, oddCos]);
  });
});
