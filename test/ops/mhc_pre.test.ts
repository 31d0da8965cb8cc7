import { expect } from 'chai';
import fc from 'fast-check';
import { runKernel } from '../../src/engine/run_kernel.js';
import { mhcPre } from '../../src/index.js';
import { MhcPre, MhcPreGrad } from '../../src/kernels/contracts/mhc_pre.js';
import {
  describeAgainstComposed,
  itDifferentiatesByName,
  oddSize,
  random,
  smallOddSize,
} from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectError, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('mhcPre', ({ x, hPre }, options) => ({ y: mhcPre(x!, hPre!, options) }));

describe('mhcPre', () => {
  const sizes = [smallOddSize, fc.constantFrom(1, 2, 3, 4, 8), oddSize] as const;
  const forwardCall = (tokens: number, streams: number, columns: number) => ({
    inputs: { x: random([tokens, streams, columns]), hPre: random([tokens, streams], 2) },
    attrs: {},
  });
  const backwardCall = (tokens: number, streams: number, columns: number) => {
    const { inputs, attrs } = forwardCall(tokens, streams, columns);
    // Along x, so that the sums of dhPre do not cancel out.
    const dy = tf.add(random([tokens, columns], 3), tf.sum(inputs.x, 1));
    return { inputs: { ...inputs, dy }, attrs };
  };
  describeAgainstComposed(MhcPre, [...sizes], forwardCall, { numRuns: 10 });
  describeAgainstComposed(MhcPreGrad, [...sizes], backwardCall, { numRuns: 10 });

  describe('of long rows, and of many tokens', () => {
    for (const [tokens, streams, columns] of [
      [2, 4, 9000],
      [3, 3, 9001],
      [1030, 4, 12],
    ]) {
      const size = [fc.constant(tokens!), fc.constant(streams!), fc.constant(columns!)] as const;
      describeAgainstComposed(MhcPre, [...size], forwardCall, { numRuns: 1 });
      describeAgainstComposed(MhcPreGrad, [...size], backwardCall, { numRuns: 1 });
    }
  });

  it('takes arrays and no tokens', async () => {
    await expectNoLeak(async () => {
      const y = mhcPre(
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
        [10, 1],
      );
      await expectClose(y, [14, 25, 36], OUTPUT_TOLERANCE);
      const none = tf.tidy(() => mhcPre(tf.zeros([0, 4, 8]), tf.zeros([0, 4])));
      expect(none.shape).to.deep.equal([0, 8]);
      const gradients = tf.tidy(() =>
        runKernel(MhcPreGrad, { dy: tf.zeros([0, 8]), x: tf.zeros([0, 4, 8]), hPre: tf.zeros([0, 4]) }, {}),
      );
      expect([gradients.dx.shape, gradients.dhPre.shape]).to.deep.equal([
        [0, 4, 8],
        [0, 4],
      ]);
      tf.dispose([y, none, gradients] as tf.TensorContainer);
    });
  });

  it('refuses coefficients of another number of streams, or of other tokens', () => {
    const x = tf.zeros([2, 3, 4, 8]);
    const of = (...shape: number[]) => tf.tidy(() => mhcPre(x, tf.zeros(shape)));
    const says = (shape: string) =>
      new RegExp(`^mhcPre: hPre must have shape .* = \\[2,3,4\\] \\(as x says\\), but got .* \\[${shape}\\]$`);
    expectError(() => of(2, 3, 3), says('2,3,3'));
    expectError(() => of(3, 2, 4), says('3,2,4'));
    x.dispose();
  });

  itDifferentiatesByName(
    MhcPre,
    () => ({ inputs: { x: random([3, 2, 6]), hPre: random([3, 2], 2) }, attrs: {} }),
    ({ x, hPre }) => mhcPre(x!, hPre!),
  );
});
