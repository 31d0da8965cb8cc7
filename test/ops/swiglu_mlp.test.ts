import { expect } from 'chai';
import fc from 'fast-check';
import { swigluMlp } from '../../src/index.js';
import { SwigluMlp, SwigluMlpGrad } from '../../src/kernels/contracts/swiglu_mlp.js';
import {
  describeAgainstComposed,
  itDifferentiatesByName,
  oddSize,
  random,
  smallOddSize,
} from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectError, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('swigluMlp', ({ x, gateWeight, upWeight, downWeight }, options) => ({
  y: swigluMlp(x!, gateWeight!, upWeight!, downWeight!, options),
}));

describe('swigluMlp', () => {
  const multipliers = { gateMultiplier: 1.5, downMultiplier: 0.5 };
  const inputsOf = (rows: number, hidden: number, intermediate: number) => ({
    x: random([rows, hidden]),
    gateWeight: random([intermediate, hidden], 2),
    upWeight: random([intermediate, hidden], 3),
    downWeight: random([hidden, intermediate], 4),
  });

  describeAgainstComposed(
    SwigluMlp,
    [oddSize, smallOddSize, smallOddSize],
    (rows, hidden, intermediate) => ({
      inputs: inputsOf(rows, hidden, intermediate),
      attrs: { ...multipliers, keepGateUp: rows % 2 === 1 },
    }),
    { numRuns: 10 },
  );
  describeAgainstComposed(
    SwigluMlpGrad,
    [smallOddSize, smallOddSize, smallOddSize, fc.integer({ min: 1, max: 15 })],
    (rows, hidden, intermediate, wanted) => ({
      inputs: {
        ...inputsOf(rows, hidden, intermediate),
        dy: random([rows, hidden], 5),
        gate: random([rows, intermediate], 6),
        up: random([rows, intermediate], 7),
      },
      attrs: {
        ...multipliers,
        wantsX: (wanted & 1) !== 0,
        wantsGateWeight: (wanted & 2) !== 0,
        wantsUpWeight: (wanted & 4) !== 0,
        wantsDownWeight: (wanted & 8) !== 0,
      },
    }),
    { numRuns: 10 },
  );

  it('takes arrays and no rows, and names what does not fit', async () => {
    await expectNoLeak(async () => {
      const y = swigluMlp([[2]], [[1]], [[3]], [[0.5]]);
      await expectClose(y, [(2 / (1 + Math.exp(-2))) * 6 * 0.5], OUTPUT_TOLERANCE);
      const weights = [tf.zeros([6, 4]), tf.zeros([6, 4]), tf.zeros([4, 6])] as const;
      const none = tf.tidy(() => swigluMlp(tf.zeros([0, 4]), ...weights));
      expect(none.shape).to.deep.equal([0, 4]);
      expectError(
        () => swigluMlp([[1, 2, 3, 4]], weights[0], weights[1], weights[0]),
        /^swigluMlp: downWeight must have shape \[H,I\].*but got a float32 tensor of shape \[6,4\]$/,
      );
      tf.dispose([y, none, ...weights]);
    });
  });

  itDifferentiatesByName(
    SwigluMlp,
    () => ({ inputs: inputsOf(5, 6, 7), attrs: multipliers }),
    ({ x, gateWeight, upWeight, downWeight }) => swigluMlp(x!, gateWeight!, upWeight!, downWeight!, multipliers),
  );
});
