import fc from 'fast-check';
import { llama4Rope } from '../../src/index.js';
import { Llama4Rope } from '../../src/kernels/contracts/llama4_rope.js';
import { describeAgainstComposed, itDifferentiatesByName, random, smallOddSize } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectError, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('llama4Rope', ({ q, k, freqsReal, freqsImag }) => ({
  ...llama4Rope(q!, k!, freqsReal!, freqsImag!),
}));

describe('llama4Rope', () => {
  const heads = fc.constantFrom(1, 2, 4, 5);

  describeAgainstComposed(
    Llama4Rope,
    [
      fc.constantFrom(1, 2, 3),
      heads,
      heads,
      smallOddSize,
      fc.constantFrom(2, 4, 6, 8, 16, 20, 64, 98, 128, 520),
      fc.boolean(),
    ],
    (batches, queryHeads, keyHeads, length, headSize, transposed) => ({
      inputs: {
        q: random([batches, length, queryHeads, headSize]),
        k: random([batches, length, keyHeads, headSize], 2),
        freqsReal: random([length, headSize / 2], 3),
        freqsImag: random([length, headSize / 2], 4),
      },
      attrs: { transposed },
    }),
    { numRuns: 12 },
  );

  it('takes arrays', async () => {
    await expectNoLeak(async () => {
      const { q, k } = llama4Rope([[[[1, 2, 3, 4]]]], [[[[5, 6, 7, 8]]]], [[0.5, 2]], [[3, 5]]);
      await expectClose(q, [0.5 - 2 * 3, 3 + 2 * 0.5, 3 * 2 - 4 * 5, 3 * 5 + 4 * 2], OUTPUT_TOLERANCE);
      await expectClose(k, [5 * 0.5 - 6 * 3, 5 * 3 + 6 * 0.5, 7 * 2 - 8 * 5, 7 * 5 + 8 * 2], OUTPUT_TOLERANCE);
      tf.dispose([q, k]);
    });
  });

  itDifferentiatesByName(
    Llama4Rope,
    () => ({
      inputs: { q: random([2, 3, 2, 8]) },
      constants: { k: random([2, 3, 1, 8], 2), freqsReal: random([3, 4], 3), freqsImag: random([3, 4], 4) },
      attrs: { transposed: false },
    }),
    ({ q, k, freqsReal, freqsImag }) => llama4Rope(q!, k!, freqsReal!, freqsImag!).q,
  );

  it('names what is wrong', () => {
    const [q, odd, freqs] = [tf.ones([2, 5, 3, 8]), tf.ones([2, 5, 3, 7]), tf.ones([5, 3])];
    expectError(
      () => llama4Rope(odd, odd, freqs, freqs),
      /^llama4Rope: q must be of an even last dimension, but got a float32 tensor of shape \[2,5,3,7\]$/,
    );
    expectError(
      () => llama4Rope(q, q, freqs, freqs),
      /^llama4Rope: freqsReal must be of a last dimension of D \/ 2 = 4, but got a float32 tensor of shape \[5,3\]$/,
    );
    tf.dispose([q, odd, freqs]);
  });
});
