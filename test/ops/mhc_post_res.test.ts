import { expect } from 'chai';
import fc from 'fast-check';
import { runKernel } from '../../src/engine/run_kernel.js';
import { mhcPostRes } from '../../src/index.js';
import { MhcPostRes, MhcPostResGrad } from '../../src/kernels/contracts/mhc_post_res.js';
import {
  describeAgainstComposed,
  itDifferentiatesByName,
  oddSize,
  random,
  smallOddSize,
} from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectError, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('mhcPostRes', ({ x, fOut, hPost, hRes }, options) => ({
  y: mhcPostRes(x!, fOut!, hPost!, hRes!, options),
}));

describe('mhcPostRes', () => {
  const sizes = [smallOddSize, fc.constantFrom(1, 2, 3, 4, 8), oddSize] as const;
  const forwardCall = (tokens: number, streams: number, columns: number) => ({
    inputs: {
      x: random([tokens, streams, columns]),
      fOut: random([tokens, columns], 2),
      hPost: random([tokens, streams], 3),
      hRes: random([tokens, streams, streams], 4),
    },
    attrs: {},
  });
  const backwardCall = (tokens: number, streams: number, columns: number) => {
    const { inputs, attrs } = forwardCall(tokens, streams, columns);
    // Along x and fOut, so that the sums of dhPost and dhRes do not cancel out.
    const along = tf.add(inputs.x, tf.expandDims(inputs.fOut, 1));
    return { inputs: { ...inputs, dy: tf.add(random([tokens, streams, columns], 5), along) }, attrs };
  };
  describeAgainstComposed(MhcPostRes, [...sizes], forwardCall, { numRuns: 10 });
  describeAgainstComposed(MhcPostResGrad, [...sizes], backwardCall, { numRuns: 10 });

  describe('of long rows, and of many tokens', () => {
    for (const [tokens, streams, columns] of [
      [2, 4, 9000],
      [3, 3, 9001],
      [1030, 4, 12],
    ]) {
      const size = [fc.constant(tokens!), fc.constant(streams!), fc.constant(columns!)] as const;
      describeAgainstComposed(MhcPostRes, [...size], forwardCall, { numRuns: 1 });
      describeAgainstComposed(MhcPostResGrad, [...size], backwardCall, { numRuns: 1 });
    }
  });

  it('is a residual connection where there is one stream', async () => {
    await expectNoLeak(async () => {
      const [x, fOut] = [random([2, 1, 5]), random([2, 5], 2)];
      const y = tf.tidy(() => mhcPostRes(x, fOut, tf.ones([2, 1]), tf.ones([2, 1, 1])));
      const expected = tf.tidy(() => tf.add(x, tf.expandDims(fOut, 1)));
      await expectClose(y, expected, OUTPUT_TOLERANCE);
      tf.dispose([x, fOut, y, expected]);
    });
  });

  it('takes arrays, a row of hRes for each stream of y, and no tokens', async () => {
    await expectNoLeak(async () => {
      const rows = (...list: number[][]) => list;
      const y = mhcPostRes(rows([1, 2, 3], [4, 5, 6]), [7, 8, 9], [0, 100], rows([1, 10], [0, 1]));
      await expectClose(y, [41, 52, 63, 704, 805, 906], OUTPUT_TOLERANCE);
      const shapes = tf.tidy(() => {
        const [x, fOut, hPost, hRes] = [tf.zeros([0, 4, 8]), tf.zeros([0, 8]), tf.zeros([0, 4]), tf.zeros([0, 4, 4])];
        const gradients = runKernel(MhcPostResGrad, { dy: x, x, fOut, hPost, hRes }, {});
        const { dx, dfOut, dhPost, dhRes } = gradients;
        return [mhcPostRes(x, fOut, hPost, hRes), dx, dfOut, dhPost, dhRes].map(({ shape }) => shape);
      });
      expect(shapes).to.deep.equal([
        [0, 4, 8],
        [0, 4, 8],
        [0, 8],
        [0, 4],
        [0, 4, 4],
      ]);
      y.dispose();
    });
  });

  it('names what does not fit x', () => {
    const shapes: Record<'x' | 'fOut' | 'hPost' | 'hRes', number[]> = {
      ...{ x: [2, 3, 4, 8], fOut: [2, 3, 8], hPost: [2, 3, 4], hRes: [2, 3, 4, 4] },
    };
    for (const [name, wrong] of [
      ['fOut', [2, 3, 4]],
      ['fOut', [2, 8]],
      ['hPost', [2, 3, 3]],
      ['hRes', [2, 3, 4, 3]],
      ['hRes', [2, 3, 3, 4]],
    ] as const) {
      const { x, fOut, hPost, hRes }: typeof shapes = { ...shapes, [name]: [...wrong] };
      const call = () => tf.tidy(() => mhcPostRes(tf.zeros(x), tf.zeros(fOut), tf.zeros(hPost), tf.zeros(hRes)));
      const says = `^mhcPostRes: ${name} must have shape .* = \\[${shapes[name]}\\] \\(as x says\\), but got .* \\[${wrong}\\]$`;
      expectError(call, new RegExp(says));
    }
  });

  itDifferentiatesByName(
    MhcPostRes,
    () => ({
      inputs: {
        x: random([3, 2, 6]),
        fOut: random([3, 6], 2),
        hPost: random([3, 2], 3),
        hRes: random([3, 2, 2], 4),
      },
      attrs: {},
    }),
    ({ x, fOut, hPost, hRes }) => mhcPostRes(x!, fOut!, hPost!, hRes!),
  );
});
