import fc from 'fast-check';
import { attnRes } from '../../src/index.js';
import { AttnRes, AttnResGrad } from '../../src/kernels/contracts/attn_res.js';
import { describeAgainstComposed, itDifferentiatesByName, oddSize, random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('attnRes', ({ v, wQuery, wNorm }, options) => ({ y: attnRes(v!, wQuery!, wNorm!, options) }));

describe('attnRes', () => {
  const sizes = [fc.constantFrom(1, 2, 3, 5), fc.constantFrom(1, 2, 7, 33), oddSize] as const;
  const forwardCall = (blocks: number, tokens: number, columns: number) => ({
    inputs: {
      v: random([blocks, 1, tokens, columns]),
      wQuery: random([columns], 2),
      wNorm: random([columns], 3),
    },
    attrs: { epsilon: 1e-6 },
  });
  const backwardCall = (blocks: number, tokens: number, columns: number) => {
    const { inputs } = forwardCall(blocks, tokens, columns);
    const weights = tf.exp(random([blocks, 1, tokens, 1], 4));
    const alpha = tf.div(weights, tf.sum(weights, 0, true));
    const rstd = tf.rsqrt(tf.mean(tf.square(inputs.v), -1, true));
    const stats = tf.concat([alpha, rstd], -1);
    return { inputs: { ...inputs, stats, dy: random([1, tokens, columns], 5) }, attrs: { dweights: tokens > 1 } };
  };
  describeAgainstComposed(AttnRes, [...sizes], forwardCall, { numRuns: 10 });
  describeAgainstComposed(AttnResGrad, [...sizes], backwardCall, { numRuns: 10 });

  describe('of rows that do not fit the registers, and of more tokens than workgroups', () => {
    for (const [blocks, tokens, columns] of [
      [3, 2, 9001],
      [2, 300, 12],
    ]) {
      const size = [fc.constant(blocks!), fc.constant(tokens!), fc.constant(columns!)] as const;
      describeAgainstComposed(AttnRes, [...size], forwardCall, { numRuns: 1 });
      describeAgainstComposed(AttnResGrad, [...size], backwardCall, { numRuns: 1 });
    }
  });

  it('is the block itself where there is one, and the mean of blocks that are alike', async () => {
    await expectNoLeak(async () => {
      const v = random([1, 2, 3, 8]);
      const weights = [random([8], 2), random([8], 3)] as const;
      const one = attnRes(v, ...weights);
      const three = tf.tidy(() => attnRes(tf.concat([v, v, v], 0), ...weights));
      const expected = tf.squeeze(v, [0]);
      await expectClose(one, expected, OUTPUT_TOLERANCE);
      await expectClose(three, expected, OUTPUT_TOLERANCE);
      tf.dispose([v, weights, one, three, expected] as tf.TensorContainer);
    });
  });

  itDifferentiatesByName(
    AttnRes,
    () => ({
      inputs: { v: random([3, 1, 2, 6]), wQuery: random([6], 2), wNorm: random([6], 3) },
      attrs: { epsilon: 1e-6 },
    }),
    ({ v, wQuery, wNorm }) => attnRes(v!, wQuery!, wNorm!),
  );
});
