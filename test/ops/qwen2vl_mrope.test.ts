import fc from 'fast-check';
import { qwen2vlMrope, rope } from '../../src/index.js';
import { Qwen2vlMrope } from '../../src/kernels/contracts/qwen2vl_mrope.js';
import { describeAgainstComposed, itDifferentiatesByName, random, smallOddSize } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectError, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

type Section = readonly [number, number, number];

describeGolden('qwen2vlMrope', ({ q, k, cos, sin }, { mropeSection }) => ({
  ...qwen2vlMrope(q!, k!, cos!, sin!, { mropeSection: mropeSection as Section }),
}));

describe('qwen2vlMrope', () => {
  const heads = fc.constantFrom(1, 2, 4, 5);
  const sections = fc.constantFrom<Section>(
    [1, 0, 0],
    [0, 1, 2],
    [2, 1, 1],
    [4, 8, 4],
    [16, 24, 24],
    [7, 3, 9],
    [0, 0, 8],
  );

  describeAgainstComposed(
    Qwen2vlMrope,
    [fc.constantFrom(1, 2, 3), heads, heads, smallOddSize, sections, fc.boolean()],
    (batches, queryHeads, keyHeads, length, mropeSection, transposed) => {
      const headSize = 2 * mropeSection.reduce((a, b) => a + b);
      return {
        inputs: {
          q: random([batches, queryHeads, length, headSize]),
          k: random([batches, keyHeads, length, headSize], 2),
          cos: random([3, batches, length, headSize], 3),
          sin: random([3, batches, length, headSize], 4),
        },
        attrs: { mropeSection, transposed },
      };
    },
    { numRuns: 12 },
  );

  it('is rope by the kind of positions that has all pairs', async () => {
    await expectNoLeak(async () => {
      const [q, k] = [random([2, 3, 5, 8]), random([2, 1, 5, 8], 2)];
      const [cos, sin] = [random([3, 2, 5, 8], 3), random([3, 2, 5, 8], 4)];
      for (const [kind, mropeSection] of (
        [
          [4, 0, 0],
          [0, 4, 0],
          [0, 0, 4],
        ] as const
      ).entries()) {
        const [ownCos, ownSin] = [tf.unstack(cos), tf.unstack(sin)];
        const actual = qwen2vlMrope(q, k, cos, sin, { mropeSection });
        const expected = rope(q, k, ownCos[kind]!, ownSin[kind]!);
        await expectClose(actual.q, expected.q, OUTPUT_TOLERANCE);
        await expectClose(actual.k, expected.k, OUTPUT_TOLERANCE);
        tf.dispose([ownCos, ownSin, { ...actual }, { ...expected }]);
      }
      tf.dispose([q, k, cos, sin]);
    });
  });

  it('takes arrays', async () => {
    await expectNoLeak(async () => {
      const [cos, sin] = [
        [[[[0.5, 2]]], [[[7, 7]]], [[[7, 7]]]],
        [[[[3, 5]]], [[[7, 7]]], [[[7, 7]]]],
      ];
      const { q, k } = qwen2vlMrope([[[[1, 2]]]], [[[[3, 4]]]], cos, sin, { mropeSection: [1, 0, 0] });
      await expectClose(q, [1 * 0.5 - 2 * 3, 2 * 2 + 1 * 5], OUTPUT_TOLERANCE);
      await expectClose(k, [3 * 0.5 - 4 * 3, 4 * 2 + 3 * 5], OUTPUT_TOLERANCE);
      tf.dispose([q, k]);
    });
  });

  itDifferentiatesByName(
    Qwen2vlMrope,
    () => ({
      inputs: { q: random([2, 2, 3, 8]) },
      constants: { k: random([2, 1, 3, 8], 2), cos: random([3, 2, 3, 8], 3), sin: random([3, 2, 3, 8], 4) },
      attrs: { mropeSection: [1, 2, 1], transposed: false },
    }),
    ({ q, k, cos, sin }) => qwen2vlMrope(q!, k!, cos!, sin!, { mropeSection: [1, 2, 1] }).q,
  );

  it('names what is wrong', () => {
    const [q, angles] = [tf.ones([2, 2, 5, 8]), tf.ones([3, 2, 5, 8])];
    const [odd, oddAngles] = [tf.ones([2, 2, 5, 7]), tf.ones([3, 2, 5, 7])];
    expectError(
      () => qwen2vlMrope(q, q, angles, angles, { mropeSection: [2, 1, 2] }),
      /^qwen2vlMrope: option 'mropeSection' must add up to D \/ 2 = 4, but got \[2,1,2\], which adds up to 5$/,
    );
    expectError(
      // @ts-expect-error: every call needs it
      () => qwen2vlMrope(q, q, angles, angles, {}),
      /^qwen2vlMrope: option 'mropeSection' must be three integers of at least 0, but got undefined$/,
    );
    expectError(
      // @ts-expect-error: two of three
      () => qwen2vlMrope(q, q, angles, angles, { mropeSection: [2, 2] }),
      /^qwen2vlMrope: option 'mropeSection' must be three integers of at least 0, but got an array of 2$/,
    );
    expectError(
      () => qwen2vlMrope(odd, odd, oddAngles, oddAngles, { mropeSection: [1, 1, 1] }),
      /^qwen2vlMrope: q must be of an even last dimension, but got a float32 tensor of shape \[2,2,5,7\]$/,
    );
    tf.dispose([q, angles, odd, oddAngles]);
  });
});
