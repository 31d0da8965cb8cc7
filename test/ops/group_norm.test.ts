import { expect } from 'chai';
import fc from 'fast-check';
import { runKernel } from '../../src/engine/run_kernel.js';
import { type GroupNormConfig, groupNorm } from '../../src/index.js';
import { type DataFormat, GroupNorm, GroupNormGrad } from '../../src/kernels/contracts/group_norm.js';
import { describeAgainstComposed, itDifferentiatesByName, random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import {
  describeGolden,
  expectClose,
  expectError,
  expectNoLeak,
  GRADIENT_TOLERANCE,
  OUTPUT_TOLERANCE,
} from '../support/golden.js';

describeGolden('groupNorm', ({ x, gamma, beta }, options) => ({
  y: groupNorm(x!, gamma!, beta!, options as unknown as GroupNormConfig),
}));

const FORMATS = ['channelsLast', 'channelsFirst'] as const;

describe('groupNorm', () => {
  type Sizes = [dataFormat: DataFormat, batches: number, numGroups: number, inGroup: number, positions: number];
  const callOf = (...[dataFormat, batches, numGroups, inGroup, positions]: Sizes) => {
    const channels = numGroups * inGroup;
    const shape = dataFormat === 'channelsLast' ? [batches, positions, channels] : [batches, channels, positions];
    // A mean of about 0 would have a large relative error.
    const x = tf.add(random(shape), 0.5);
    return { x, gamma: random([channels], 2), beta: random([channels], 3), attrs: { numGroups, dataFormat } };
  };
  const forwardCall = (...sizes: Sizes) => {
    const { attrs, ...inputs } = callOf(...sizes);
    return { inputs, attrs: { ...attrs, epsilon: 0.1 } };
  };
  const backwardCall = (...sizes: Sizes) => {
    const { x, gamma, beta, attrs } = callOf(...sizes);
    const { mean, rstd } = runKernel(GroupNorm, { x, gamma, beta }, { ...attrs, epsilon: 0.1 });
    // So would a sum dgamma of about 0, as it is where dy has nothing of x.
    return { inputs: { dy: tf.add(random(x.shape, 4), x), x, gamma, mean, rstd }, attrs };
  };
  const formats = fc.constantFrom(...FORMATS);
  const few = fc.constantFrom(1, 2, 3);
  const sizes = [
    formats,
    few,
    few,
    fc.constantFrom(1, 2, 3, 4, 5, 8, 13, 40),
    fc.constantFrom(1, 2, 4, 7, 16, 33, 97, 257),
  ] as const;
  describeAgainstComposed(GroupNorm, [...sizes], forwardCall, { numRuns: 14 });
  describeAgainstComposed(GroupNormGrad, [...sizes], backwardCall, { numRuns: 14 });

  /** One past a workgroup, and groups that do not fit its registers: of many channels, of many positions, of vec4s and not. */
  const shapes = [
    [1, 2, 1, 1025],
    [1, 2, 1025, 1],
    [1, 1, 1, 40000],
    [2, 1, 20000, 2],
    [1, 2, 37, 1001],
    [1, 2, 40, 1024],
    [1500, 3, 4, 1],
  ] as const;
  for (const shape of shapes) {
    const [batches, numGroups, inGroup, positions] = shape;
    describe(`of ${batches} × ${numGroups} groups of ${inGroup} channels and ${positions} positions`, () => {
      for (const dataFormat of FORMATS) {
        describe(dataFormat, () => {
          const ofShape = fc.constant<Sizes>([dataFormat, ...shape]);
          describeAgainstComposed(GroupNorm, [ofShape], (sizes) => forwardCall(...sizes), { numRuns: 1 });
          describeAgainstComposed(GroupNormGrad, [ofShape], (sizes) => backwardCall(...sizes), { numRuns: 1 });
        });
      }
    });
  }

  for (const dataFormat of FORMATS) {
    describe(`with ${dataFormat}`, () => {
      itDifferentiatesByName(
        GroupNorm,
        () => ({
          inputs: { x: random([2, 4, 4]), gamma: random([4], 2), beta: random([4], 3) },
          attrs: { numGroups: 2, epsilon: 1e-6, dataFormat },
        }),
        ({ x, gamma, beta }) => groupNorm(x!, gamma!, beta!, { numGroups: 2, dataFormat }),
      );

      it('does not cancel where the mean is large', async () => {
        await expectNoLeak(async () => {
          // Eighths around 4096 are exact in float32; their squares, and their mean, are not.
          const positions = 700;
          const values = Float32Array.from({ length: 2 * positions }, (_, i) => ((i * i * 7) % 31) / 8);
          const shape = dataFormat === 'channelsLast' ? [1, positions, 2] : [1, 2, positions];
          const x = tf.tensor(
            values.map((value) => 4096 + value),
            shape,
          );
          const [gamma, beta] = [tf.ones([2]), tf.zeros([2])];
          const y = groupNorm(x, gamma, beta, { numGroups: 1, epsilon: 0, dataFormat });
          await expectClose(y, normalized([...values]), OUTPUT_TOLERANCE);
          tf.dispose([x, gamma, beta, y]);
        });
      });

      it('repeats bit for bit', async () => {
        await expectNoLeak(async () => {
          const inputs = [random([3, 12, 12]), random([12], 2), random([12], 3)];
          const run = () =>
            tf.tidy(() =>
              tf.grads((x, gamma, beta) => tf.square(groupNorm(x!, gamma!, beta!, { numGroups: 3, dataFormat })))(
                inputs,
              ),
            );
          const [first, second] = [run(), run()];
          for (const [i, gradient] of first.entries()) await expectClose(gradient, second[i]!, 0);
          tf.dispose([inputs, first, second]);
        });
      });
    });
  }

  it('has the same values and gradients in both formats, over any spatial dimensions', async () => {
    await expectNoLeak(async () => {
      const [gamma, beta] = [random([6], 2), random([6], 3)];
      for (const spatial of [[], [5], [3, 4], [2, 1, 3]]) {
        const x = random([2, ...spatial, 6]);
        const dy = random(x.shape, 4);
        const axes = [...spatial.keys()].map((axis) => axis + 1);
        const [toFirst, toLast] = [
          [0, spatial.length + 1, ...axes],
          [0, ...axes.map((axis) => axis + 1), 1],
        ];
        const run = (dataFormat: DataFormat) =>
          tf.tidy(() => {
            const { value, grads } = tf.valueAndGrads((...[x, gamma, beta]: tf.Tensor[]) => {
              if (dataFormat === 'channelsLast') return tf.mul(dy, groupNorm(x!, gamma!, beta!, { numGroups: 3 }));
              const y = groupNorm(tf.transpose(x!, toFirst), gamma!, beta!, { numGroups: 3, dataFormat });
              return tf.mul(dy, tf.transpose(y, toLast));
            })([x, gamma, beta]);
            return [value, ...grads];
          });
        const [last, first] = [run('channelsLast'), run('channelsFirst')];
        for (const [i, tensor] of first.entries()) {
          await expectClose(tensor, last[i]!, i === 0 ? OUTPUT_TOLERANCE : GRADIENT_TOLERANCE, `[${spatial}] ${i}`);
        }
        tf.dispose([x, dy, last, first]);
      }
      tf.dispose([gamma, beta]);
    });
  });

  it('takes arrays, and no positions', async () => {
    await expectNoLeak(async () => {
      const vector = groupNorm([[1, 3, 8, 6]], [1, 2, 1, 1], [0, 1, 0, 0], { numGroups: 2, epsilon: 0 });
      await expectClose(vector, [-1, 3, 1, -1], OUTPUT_TOLERANCE);
      const inputs = [tf.zeros([2, 0, 4]), tf.ones([4]), tf.ones([4])];
      const ofNone = tf.grads((x, gamma, beta) => groupNorm(x!, gamma!, beta!, { numGroups: 2 }))(inputs);
      expect(ofNone[0]!.shape).to.deep.equal([2, 0, 4]);
      await expectClose(ofNone[1]!, [0, 0, 0, 0], 0, 'dgamma of no positions');
      await expectClose(ofNone[2]!, [0, 0, 0, 0], 0, 'dbeta of no positions');
      tf.dispose([vector, inputs, ofNone]);
    });
  });

  it('names what is wrong', () => {
    const [x, gamma] = [tf.ones([2, 3, 3, 6]), tf.ones([6])];
    const call = (config?: object) => () => groupNorm(x, gamma, gamma, config as GroupNormConfig);
    const missing = /^groupNorm: option 'numGroups' must be an integer of at least 1, but got undefined$/;
    expectError(call(), missing);
    expectError(call({ epsilon: 1 }), missing);
    expectError(call({ numGroups: undefined }), missing);
    expectError(call({ numGroups: 4 }), /^groupNorm: option 'numGroups' must divide the 6 channels of x, but got 4$/);
    expectError(
      call({ numGroups: 1, dataFormat: 'nchw' }),
      /^groupNorm: option 'dataFormat' must be one of 'channelsLast', 'channelsFirst', but got 'nchw'$/,
    );
    expectError(
      call({ numGroups: 1, dataFormat: 'channelsFirst' }),
      /^groupNorm: gamma must have shape \[C\] = \[3\] \(as x says\), but got a float32 tensor of shape \[6\]$/,
    );
    expectError(
      () => groupNorm(gamma, gamma, gamma, { numGroups: 1 }),
      /^groupNorm: x must have shape \[B,\.\.\.,C\], but got a float32 tensor of shape \[6\]$/,
    );
    tf.dispose([x, gamma]);
  });
});

/** Of mean 0 and variance 1, in float64. */
function normalized(values: number[]): number[] {
  const mean = values.reduce((a, b) => a + b) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return values.map((value) => (value - mean) / Math.sqrt(variance));
}
