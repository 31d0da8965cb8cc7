import { expect } from 'chai';
import fc from 'fast-check';
import { runKernel } from '../../src/engine/run_kernel.js';
import { type MultiTokenAttentionConfig, multiTokenAttention } from '../../src/index.js';
import {
  MultiTokenAttention,
  type MultiTokenAttentionAttrs,
  MultiTokenAttentionGrad,
  mapShape,
  type Pair,
} from '../../src/kernels/contracts/multi_token_attention.js';
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

describeGolden('multiTokenAttention', ({ scores, weight, ...optional }, options) => ({
  y: multiTokenAttention(scores!, weight!, { ...options, ...optional }),
}));

describe('multiTokenAttention', () => {
  const plain: MultiTokenAttentionAttrs = {
    strides: [1, 1],
    padding: [1, 1],
    dilations: [1, 1],
    groups: 1,
    sparse: false,
  };
  /** Channels of scores and of y, the kernel, and what differs from a plain convolution. */
  const kinds: Record<string, readonly [number, number, Pair, Partial<MultiTokenAttentionAttrs>]> = {
    square: [2, 3, [3, 3], {}],
    square16: [16, 16, [3, 3], {}],
    flat: [1, 1, [1, 5], { padding: [0, 2] }],
    wide: [2, 1, [1, 11], { padding: [0, 5] }],
    tall: [1, 5, [4, 1], { padding: [3, 0] }],
    heads: [4, 4, [3, 2], { groups: 4 }],
    groups: [6, 20, [1, 3], { groups: 2, padding: [0, 1] }],
    many: [9, 17, [2, 2], { sparse: true }],
    dilated: [2, 2, [3, 3], { dilations: [2, 3], padding: [2, 3] }],
    farApart: [1, 2, [2, 2], { dilations: [1, 20], padding: [1, 20], sparse: true }],
    strided: [2, 3, [3, 3], { strides: [2, 3], padding: [2, 1] }],
    all: [4, 6, [2, 3], { strides: [3, 2], dilations: [2, 2], padding: [3, 4], groups: 2, sparse: true }],
  };
  const { square16: _, ...smallKinds } = kinds;
  const sizes = [
    fc.constantFrom(...Object.keys(smallKinds)),
    fc.constantFrom(1, 2),
    fc.constantFrom(1, 2, 5, 8, 17, 33, 65),
  ] as const;
  const callOf = (kind: string, batches: number, wanted: number) => {
    const [channels, outChannels, kernel, changed] = kinds[kind]!;
    const attrs = { ...plain, ...changed };
    // The shortest that the kernel fits.
    const spans = kernel.map((size, i) => attrs.dilations[i]! * (size - 1) + 1 - 2 * attrs.padding[i]!);
    const length = Math.max(wanted, ...spans);
    const scores = tf.mul(random([batches, channels, length, length]), 4);
    const weight = random([outChannels, channels / attrs.groups, ...kernel], 2);
    return { scores, weight, attrs, outChannels, shape: mapShape(scores.shape, weight.shape, attrs) };
  };
  const forwardCall = (kind: string, batches: number, length: number) => {
    const { scores, weight, attrs, outChannels } = callOf(kind, batches, length);
    return { inputs: { scores, weight, bias: length % 2 ? random([outChannels], 3) : undefined }, attrs };
  };
  const backwardCall = (kind: string, batches: number, length: number) => {
    const { scores, weight, attrs, outChannels, shape } = callOf(kind, batches, length);
    const { stats } = runKernel(MultiTokenAttention, { scores, weight, bias: undefined }, attrs);
    const dy = random([batches, outChannels, ...shape.out], 4);
    const attrsOfGradient = { ...attrs, dscores: true, dweight: true, dbias: length % 2 === 1 };
    return { inputs: { dy, scores, stats, weight }, attrs: attrsOfGradient };
  };
  describeAgainstComposed(MultiTokenAttention, [...sizes], forwardCall, { numRuns: 14 });
  describeAgainstComposed(MultiTokenAttentionGrad, [...sizes], backwardCall, { numRuns: 12 });

  describe('of as many channels as fill a workgroup', () => {
    const ofSize = [fc.constant('square16'), fc.constant(1), fc.constant(50)] as const;
    describeAgainstComposed(MultiTokenAttention, [...ofSize], forwardCall, { numRuns: 1 });
    describeAgainstComposed(MultiTokenAttentionGrad, [...ofSize], backwardCall, { numRuns: 1 });
  });

  itDifferentiatesByName(
    MultiTokenAttention,
    () => ({
      inputs: { scores: random([1, 2, 5, 5]), weight: random([2, 2, 3, 3], 2), bias: random([2], 3) },
      attrs: plain,
    }),
    ({ scores, weight, bias }) => multiTokenAttention(scores!, weight!, { padding: 1, bias: bias! }),
  );

  /** The causal weights themselves: a kernel of one element that is 1. */
  const weightsOf = (scores: tf.Tensor, config: MultiTokenAttentionConfig = {}) =>
    multiTokenAttention(scores, tf.ones([1, 1, 1, 1]), config);

  it('gives softmax and sparsemax their weights, whatever scores the future has', async () => {
    await expectNoLeak(async () => {
      const scores = tf.tensor4d([
        [
          [
            [1, Number.NaN, Infinity],
            [2, 2, Number.NaN],
            [0.3, 0.1, -1],
          ],
        ],
      ]);
      const [dense, sparse] = tf.tidy(() => [weightsOf(scores), weightsOf(scores, { sparse: true })]);
      const total = Math.exp(0.3) + Math.exp(0.1) + Math.exp(-1);
      const last = [0.3, 0.1, -1].map((score) => Math.exp(score) / total);
      await expectClose(dense, [1, 0, 0, 0.5, 0.5, 0, ...last], OUTPUT_TOLERANCE);
      await expectClose(sparse, [1, 0, 0, 0.5, 0.5, 0, 0.6, 0.4, 0], OUTPUT_TOLERANCE);
      tf.dispose([scores, dense, sparse]);
    });
  });

  for (const sparse of [false, true]) {
    it(`keeps ${sparse ? 'sparse' : 'dense'} weights of large scores exact, and gradients too`, async () => {
      await expectNoLeak(async () => {
        const scores = tf.tensor4d(
          [3e4, 7, 7, 7, 1e30, 1e30, 7, 7, -5e3, -5e3, -6e3, 7, 100.25, 100.5, 100.75, 100],
          [1, 1, 4, 4],
        );
        const shifted = tf.tensor4d([0, 7, 7, 7, 0, 0, 7, 7, 0, 0, -1e3, 7, 0.25, 0.5, 0.75, 0], [1, 1, 4, 4]);
        const dy = random([1, 1, 4, 4]);
        const run = (x: tf.Tensor) =>
          tf.tidy(() => [weightsOf(x, { sparse }), tf.grad((t) => tf.sum(tf.mul(dy, weightsOf(t, { sparse }))))(x)]);
        const [actual, expected] = [run(scores), run(shifted)];
        await expectClose(actual[0]!, expected[0]!, OUTPUT_TOLERANCE);
        await expectClose(actual[1]!, expected[1]!, GRADIENT_TOLERANCE);
        tf.dispose([scores, shifted, dy, actual, expected]);
      });
    });
  }

  it('finds the support of long sparse rows: one entry, all of them, and most steps', async () => {
    await expectNoLeak(async () => {
      const length = 300;
      const rows = [
        (i: number) => (i === 100 ? 2 : 0),
        () => 0.5,
        (i: number) => -(1.3 ** (i / 10)) / 50,
        (i: number) => Math.sin(i) * 0.01,
      ];
      const scores = tf.buffer([1, 1, length, length]);
      for (const [number, score] of rows.entries()) {
        for (let i = 0; i < length; i++) scores.set(score(i), 0, 0, length - 1 - number, i);
      }
      const input = scores.toTensor();
      const y = tf.tidy(() => weightsOf(input, { sparse: true }));
      const values = await y.data();
      for (const [number, score] of rows.entries()) {
        const queries = length - number;
        const row = Array.from({ length: queries }, (_, i) => Math.fround(score(i)));
        const expected = sparsemaxOf(row);
        const at = (queries - 1) * length;
        await expectClose(values.subarray(at, at + queries), expected, OUTPUT_TOLERANCE, `row ${number}`);
      }
      tf.dispose([input, y]);
    });
  });

  it('repeats bit for bit', async () => {
    await expectNoLeak(async () => {
      const inputs = [random([2, 3, 70, 70]), random([5, 3, 3, 3], 2)];
      const run = () =>
        tf.tidy(() => tf.grads((s, w) => tf.sum(tf.square(multiTokenAttention(s!, w!, { padding: 1 }))))(inputs));
      const [first, second] = [run(), run()];
      for (const [i, gradient] of first.entries()) await expectClose(gradient, second[i]!, 0);
      tf.dispose([inputs, first, second]);
    });
  });

  it('takes arrays, and one number for both of a pair', async () => {
    await expectNoLeak(async () => {
      const scores = random([1, 1, 6, 6]);
      const weight = [[[[1, 2, 3]]]];
      const pair = tf.tidy(() =>
        multiTokenAttention(scores, weight, { padding: [0, 1], dilations: [2, 1], strides: [1, 1] }),
      );
      expect(pair.shape).to.deep.equal([1, 1, 6, 6]);
      const one = tf.tidy(() => multiTokenAttention(scores, weight, { padding: 1, strides: 2 }));
      expect(one.shape).to.deep.equal([1, 1, 4, 3]);
      tf.dispose([scores, pair, one]);
    });
  });

  it('says what does not fit', () => {
    expectNoLeak(() => {
      const scores = tf.zeros([1, 4, 3, 3]);
      const call = (weight: number[], config: MultiTokenAttentionConfig) => () =>
        tf.tidy(() => multiTokenAttention(scores, tf.zeros(weight), config));
      expectError(
        call([4, 4, 1, 1], { groups: 3 }),
        /^multiTokenAttention: option 'groups' must divide the 4 channels of scores and the 4 of y, but got 3$/,
      );
      expectError(
        call([4, 4, 1, 1], { groups: 2 }),
        /^multiTokenAttention: weight must have 2 channels a kernel \(the 4 of scores in 2 groups\), but has 4$/,
      );
      expectError(
        call([4, 4, 3, 1], { dilations: 2, padding: [0, 1] }),
        /^multiTokenAttention: weight spans \[5,1\] scores, more than the padded \[3,5\] that there are$/,
      );
      expectError(
        call([4, 4, 1, 1], { bias: [1, 2] }),
        /^multiTokenAttention: bias must have shape \[O\] = \[4\] \(as weight says\), but got shape \[2\]$/,
      );
      tf.dispose(scores);
    });
  });
});

/** In float64, with sorted entries. */
function sparsemaxOf(row: number[]): number[] {
  let sum = 0;
  let threshold = 0;
  for (const [i, value] of [...row].sort((a, b) => b - a).entries()) {
    sum += value;
    if (1 + (i + 1) * value > sum) threshold = (sum - 1) / (i + 1);
  }
  return row.map((value) => Math.max(0, value - threshold));
}
