import { expect } from 'chai';
import fc from 'fast-check';
import { deviceBackendOf } from '../../src/backend/tfjs_webgpu_backend.js';
import { type FlashAttentionConfig, flashAttention, linear, rope, train } from '../../src/index.js';
import {
  FlashAttention,
  type FlashAttentionAttrs,
  FlashAttentionGrad,
} from '../../src/kernels/contracts/flash_attention.js';
import { describeAgainstComposed, random } from '../support/against_composed.js';
import { backendName, tf } from '../support/backend.js';
import {
  describeGolden,
  expectClose,
  expectError,
  expectNoLeak,
  GRADIENT_TOLERANCE,
  OUTPUT_TOLERANCE,
} from '../support/golden.js';

describeGolden('flashAttention', ({ q, k, v, ...optional }, options) => ({
  y: flashAttention(q!, k!, v!, { ...options, ...optional }),
}));

const int32 = (values: number[], shape: number[]) => tf.tensor(values, shape, 'int32');
const weightedSum = (y: tf.Tensor) => tf.sum(tf.mul(y, random(y.shape, 99)));

/** The result and the gradients of a weighted sum of it. */
const both = (f: (...tensors: tf.Tensor[]) => tf.Tensor, inputs: tf.Tensor[]): tf.Tensor[] =>
  tf.tidy(() => [f(...inputs), ...tf.grads((...tensors) => weightedSum(f(...tensors)))(inputs)]);

async function expectAllClose(actual: tf.Tensor[], expected: tf.Tensor[], what = ''): Promise<void> {
  expect(actual.length).to.equal(expected.length);
  for (const [i, tensor] of actual.entries()) {
    const tolerance = i === 0 ? OUTPUT_TOLERANCE : GRADIENT_TOLERANCE;
    await expectClose(tensor, expected[i]!, tolerance, `${what} ${i === 0 ? 'result' : `gradient ${i - 1}`}`);
  }
}

describe('flashAttention', () => {
  const plain: Omit<FlashAttentionAttrs, 'queryHeads' | 'keyHeads' | 'scale'> = {
    layout: 'bhtd',
    softcap: 0,
    before: -1,
    after: -1,
    dilation: 1,
    dropout: 0,
    seed: () => 0,
  };
  /** What a call may have beside its tensors. */
  const kinds: Record<string, Partial<FlashAttentionAttrs>> = {
    full: {},
    causal: { after: 0 },
    window: { after: 0, before: 6, softcap: 1.5 },
    dilated: { after: 6, before: 6, dilation: 3 },
    dropout: { after: 0, dropout: 0.3, seed: () => 12345 },
    lengths: {},
    segments: { after: 0 },
    biasAndSinks: {},
  };
  const kindNames = Object.keys(kinds);
  const sizes = [
    fc.constantFrom(...kindNames),
    fc.constantFrom(1, 2),
    fc.constantFrom([1, 1] as const, [4, 2] as const, [3, 1] as const),
    fc.constantFrom(1, 2, 5, 31, 33, 65, 97),
    fc.constantFrom(0, 1, 3, 40),
    fc.constantFrom(8, 10),
  ] as const;
  const makeCall = (
    kind: string,
    batches: number,
    [queryHeads, keyHeads]: readonly [number, number],
    queries: number,
    more: number,
    headSize: number,
  ) => {
    const keys = kind === 'segments' ? queries : queries + more;
    const shape = (heads: number, length: number) => [batches, heads, length, headSize];
    const inputs = {
      q: random(shape(queryHeads, queries), 1),
      k: random(shape(keyHeads, keys), 2),
      v: random(shape(keyHeads, keys), 3),
      ...(kind === 'lengths' && {
        keyLengths: int32(
          Array.from({ length: batches }, (_, i) => Math.floor((keys + i) / 2)),
          [batches],
        ),
      }),
      ...(kind === 'segments' && {
        segmentIds: int32(
          Array.from({ length: batches * keys }, (_, i) => Math.floor((i % keys) / 7)),
          [batches, keys],
        ),
      }),
      ...(kind === 'biasAndSinks' && { bias: random([1, queryHeads, 1, keys], 4), sinks: random([queryHeads], 5) }),
    };
    const attrs = { ...plain, queryHeads, keyHeads, scale: 2 / Math.sqrt(headSize), ...kinds[kind] };
    return { inputs, attrs };
  };

  describeAgainstComposed(FlashAttention, [...sizes], makeCall, { numRuns: 16 });
  describeAgainstComposed(
    FlashAttentionGrad,
    [...sizes],
    (...call) => {
      const { inputs, attrs } = makeCall(...call);
      const { y, lse } = tf.tidy(() => {
        const [y, lse] = tf.engine().runKernel(FlashAttention.name, inputs, attrs as never) as unknown as tf.Tensor[];
        return { y: y!, lse: lse! };
      });
      const hasBias = 'bias' in inputs && inputs.bias !== undefined;
      return {
        inputs: { ...inputs, y, lse, dy: random(y.shape, 6) },
        attrs: { ...attrs, separate: true, bias: hasBias, sinks: hasBias },
      };
    },
    { numRuns: 16 },
  );

  it('reads heads in any layout, and one packed projection, as it does [B, H, T, D]', async () => {
    await expectNoLeak(async () => {
      const [B, T, Hq, Hk, D] = [2, 5, 4, 2, 6];
      const [q, k, v] = [random([B, T, Hq, D]), random([B, T, Hk, D], 2), random([B, T, Hk, D], 3)];
      const turned = (x: tf.Tensor) => tf.transpose(x, [0, 2, 1, 3]);
      const byHead = both(
        (q, k, v) => turned(flashAttention(turned(q!), turned(k!), turned(v!), { causal: true })),
        [q, k, v],
      );
      const byToken = both((q, k, v) => flashAttention(q!, k!, v!, { causal: true, layout: 'bthd' }), [q, k, v]);
      await expectAllClose(byToken, byHead, 'bthd');
      const joined = (x: tf.Tensor) => tf.reshape(x, [B, T, -1]);
      const config = { causal: true, heads: Hq, keyHeads: Hk } as const;
      const sideBySide = tf.tidy(() => {
        const inputs = [joined(q), joined(k), joined(v)];
        return both((q, k, v) => tf.reshape(flashAttention(q!, k!, v!, config), [B, T, Hq, D]), inputs).map(
          (tensor, i) => tf.reshape(tensor, byHead[i]!.shape),
        );
      });
      await expectAllClose(sideBySide, byHead, 'side by side');
      const packed = tf.tidy(() => {
        const qkv = tf.concat([joined(q), joined(k), joined(v)], -1);
        const [y, dqkv] = both((qkv) => tf.reshape(flashAttention(qkv!, config), [B, T, Hq, D]), [qkv]);
        return [y!, ...tf.split(dqkv!, [Hq * D, Hk * D, Hk * D], -1)].map((tensor, i) =>
          tf.reshape(tensor, byHead[i]!.shape),
        );
      });
      await expectAllClose(packed, byHead, 'packed');
      tf.dispose([q, k, v, byHead, byToken, sideBySide, packed]);
    });
  });

  it('rotates q and k as rope does, in a packed projection too', async () => {
    await expectNoLeak(async () => {
      const [B, T, H, D] = [2, 5, 2, 8];
      const [cos, sin] = [random([1, T, D], 7), random([1, T, D], 8)];
      const qkv = random([B, T, 3 * H * D]);
      const expected = both(
        (qkv) => {
          const [q, k, v] = tf
            .split(qkv!, 3, -1)
            .map((x) => tf.transpose(tf.reshape(x, [B, T, H, D]), [0, 2, 1, 3])) as [tf.Tensor, tf.Tensor, tf.Tensor];
          const rotated = rope(q, k, cos, sin);
          const y = flashAttention(rotated.q, rotated.k, v, { causal: true });
          return tf.reshape(tf.transpose(y, [0, 2, 1, 3]), [B, T, H * D]);
        },
        [qkv],
      );
      const actual = both((qkv) => flashAttention(qkv!, { causal: true, heads: H, cos, sin }), [qkv]);
      await expectAllClose(actual, expected);
      tf.dispose([cos, sin, qkv, expected, actual]);
    });
  });

  it('returns lse, and differentiates it', async () => {
    await expectNoLeak(async () => {
      const [q, k, v] = [random([1, 2, 5, 8]), random([1, 2, 7, 8], 2), random([1, 2, 7, 8], 3)];
      const expected = both((q, k) => tf.logSumExp(tf.mul(tf.matMul(q!, k!, false, true), 0.5), -1), [q, k]);
      const actual = both((q, k) => flashAttention(q!, k!, v, { scale: 0.5, returnLse: true }).lse, [q, k]);
      await expectAllClose(actual, expected);
      tf.dispose([q, k, v, expected, actual]);
    });
  });

  it('gives zeros, zero gradients and an lse of −Infinity where a query sees nothing', async () => {
    await expectNoLeak(async () => {
      const [q, k, v] = [random([1, 1, 4, 8]), random([1, 1, 4, 8], 2), random([1, 1, 4, 8], 3)];
      const keyLengths = int32([0], [1]);
      const results = both((q, k, v) => flashAttention(q!, k!, v!, { keyLengths }), [q, k, v]);
      for (const tensor of results) expect(Array.from(await tensor.data())).to.deep.equal(new Array(32).fill(0));
      const { y, lse } = flashAttention(q, k, v, { keyLengths, returnLse: true });
      expect(Array.from(await lse.data())).to.deep.equal(new Array(4).fill(-Infinity));
      tf.dispose([q, k, v, keyLengths, results, y, lse]);
    });
  });

  it('never reads keys and values behind keyLengths', async () => {
    await expectNoLeak(async () => {
      const clean = [random([1, 1, 3, 8]), random([1, 1, 2, 8], 2), random([1, 1, 2, 8], 3)];
      const padded = tf.tidy(() => [
        tf.clone(clean[0]!),
        ...clean.slice(1).map((x) => tf.concat([x, tf.fill([1, 1, 3, 8], 1e6)], 2)),
      ]);
      const keyLengths = int32([2], [1]);
      const expected = both((q, k, v) => flashAttention(q!, k!, v!), clean);
      const actual = both((q, k, v) => flashAttention(q!, k!, v!, { keyLengths }), padded);
      const own = tf.tidy(() => actual.map((x) => tf.slice(x, 0, [1, 1, x.shape[2] === 5 ? 2 : 3, 8])));
      await expectAllClose(own, expected);
      tf.dispose([clean, padded, keyLengths, expected, actual, own]);
    });
  });

  it('passes NaN and infinite scores on to the rows that they are in', async () => {
    await expectNoLeak(async () => {
      const q = tf.tensor4d([1, Number.NaN, 1, 1], [1, 1, 4, 1]);
      const [k, v] = [tf.ones([1, 1, 3, 1]), tf.tensor4d([1, 2, 3], [1, 1, 3, 1])];
      const bias = tf.tensor4d(
        [0, -Infinity, -Infinity, 0, 0, 0, Infinity, 0, 0, -Infinity, -Infinity, -Infinity],
        [1, 1, 4, 3],
      );
      const y = flashAttention(q, k, v, { bias });
      expect(Array.from(await y.data())).to.deep.equal([1, Number.NaN, Number.NaN, 0]);
      tf.dispose([q, k, v, bias, y]);
    });
  });

  it('decodes against a cache as it would have with all queries at once', async () => {
    await expectNoLeak(async () => {
      const [q, k, v] = [random([1, 4, 70, 8]), random([1, 2, 70, 8], 2), random([1, 2, 70, 8], 3)];
      const all = flashAttention(q, k, v, { causal: true });
      for (const length of [1, 33, 70]) {
        const [row, keys, values, expected] = tf.tidy(() => [
          tf.slice(q, [0, 0, length - 1, 0], [1, 4, 1, 8]),
          tf.slice(k, 0, [1, 2, length, 8]),
          tf.slice(v, 0, [1, 2, length, 8]),
          tf.slice(all, [0, 0, length - 1, 0], [1, 4, 1, 8]),
        ]) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
        const y = flashAttention(row, keys, values, { causal: true });
        await expectClose(y, expected, OUTPUT_TOLERANCE, `against ${length} keys`);
        tf.dispose([row, keys, values, expected, y]);
      }
      tf.dispose([q, k, v, all]);
    });
  });

  it('repeats bit for bit, dropout by its seed', async () => {
    await expectNoLeak(async () => {
      const inputs = [random([1, 2, 70, 8]), random([1, 1, 70, 8], 2), random([1, 1, 70, 8], 3)];
      const run = (config: FlashAttentionConfig<false>) =>
        both((q, k, v) => flashAttention(q!, k!, v!, { causal: true, ...config }), inputs);
      for (const config of [{}, { dropout: 0.5, seed: 3 }]) {
        const [first, second] = [run(config), run(config)];
        for (const [i, tensor] of first.entries()) await expectClose(tensor, second[i]!, 0);
        tf.dispose([first, second]);
      }
      const [one, other] = [run({ dropout: 0.5, seed: 3 }), run({ dropout: 0.5, seed: 4 })];
      expect(await one[0]!.data()).to.not.deep.equal(await other[0]!.data());
      tf.dispose([inputs, one, other]);
    });
  });

  it('keeps its expectation with dropout', async () => {
    await expectNoLeak(async () => {
      // All weights are 1/64 and all values 1: a result is the share that is kept, scaled up.
      const [q, k, v] = [tf.zeros([1, 4, 64, 8]), tf.zeros([1, 4, 64, 8]), tf.ones([1, 4, 64, 8])];
      const mean = tf.tidy(() => tf.mean(flashAttention(q, k, v, { dropout: 0.25, seed: 1 })));
      expect((await mean.data())[0]).to.be.closeTo(1, 0.02);
      tf.dispose([q, k, v, mean]);
    });
  });

  if (backendName === 'webgpu') {
    it('needs memory that grows with T, not with its square', async () => {
      const meter = deviceBackendOf(tf.backend()).meterMemory();
      const peakOf = async (length: number) => {
        const inputs = [1, 2, 3].map((seed) => random([1, 1, length, 8], seed));
        await inputs[2]!.data();
        meter.resetPeak();
        const before = meter.peak;
        const results = both((q, k, v) => flashAttention(q!, k!, v!, { causal: true, slidingWindow: 16 }), inputs);
        await results[1]!.data();
        const peak = meter.peak - before;
        tf.dispose([inputs, results]);
        return peak;
      };
      await peakOf(256);
      const [short, long] = [await peakOf(1024), await peakOf(4096)];
      expect(long).to.be.at.most(short * 4.5);
    });

    it('trains on 8192 tokens in a small part of what their scores would take', async () => {
      const [length, size] = [8192, 8];
      const meter = deviceBackendOf(tf.backend()).meterMemory();
      const scoreBytes = 4 * length ** 2;
      const x = random([1, length, size]);
      const target = random([1, length, size], 2);
      const weight = tf.variable(random([3 * size, size], 3));
      await x.data();
      const before = meter.peak;
      const optimizer = train.adamW({ learningRate: 0.1 });
      const losses: number[] = [];
      for (let step = 0; step < 2; step++) {
        const loss = optimizer.minimize(() => {
          const y = flashAttention(linear(x, weight), { heads: 1, causal: true, slidingWindow: 16 });
          return tf.mean(tf.squaredDifference(y, target));
        }, true)!;
        losses.push((await loss.data())[0]!);
        loss.dispose();
      }
      expect(losses[1]).to.be.below(losses[0]!);
      expect(meter.peak - before).to.be.below(scoreBytes / 20);
      optimizer.dispose();
      tf.dispose([x, target, weight]);
    });
  }

  it('names what is wrong', () => {
    const t = (...shape: number[]) => tf.zeros(shape);
    const tensors = {
      q: t(2, 4, 6, 8),
      k: t(2, 2, 6, 8),
      otherSize: t(2, 2, 6, 4),
      otherHeads: t(2, 3, 6, 8),
      longer: t(2, 2, 7, 8),
      joined: t(2, 6, 32),
      bias: t(1, 4, 3, 6),
      cos: t(1, 6, 8),
      segments: tf.zeros([3, 6], 'int32'),
      ownSegments: tf.zeros([2, 6], 'int32'),
    };
    const { q, k, otherSize, otherHeads, longer, joined, bias, cos, segments, ownSegments } = tensors;
    const refuses = (f: () => unknown, message: RegExp) => expectError(f, message);
    refuses(() => flashAttention(q, otherSize, otherSize), /^flashAttention: k must have shape \[B,Hk,Tk,D\]/);
    refuses(
      () => flashAttention(q, otherHeads, otherHeads),
      /^flashAttention: q must have a multiple of k's 3 heads, but has 4$/,
    );
    refuses(
      () => flashAttention(q, k, k, { segmentIds: segments }),
      /^flashAttention: segmentIds must have shape \[B,Tq\] = \[2,6\] \(as q says?\), but got an int32 tensor of shape \[3,6\]$/,
    );
    refuses(
      () => flashAttention(q, longer, longer, { segmentIds: ownSegments }),
      /^flashAttention: segmentIds needs as many keys as queries, but there are 7 and 6$/,
    );
    refuses(
      () => flashAttention(q, k, k, { slidingWindow: 0 }),
      /^flashAttention: option 'slidingWindow' must be an integer of at least 1, but got 0$/,
    );
    refuses(
      () => flashAttention(q, k, k, { dropout: 1 }),
      /^flashAttention: option 'dropout' must be a finite number in \[0, 1\), but got 1$/,
    );
    refuses(
      () => flashAttention(q, k, k, { bias }),
      /^flashAttention: bias must be of a shape that broadcasts to \[B, Hq, Tq, Tk\] = \[2,4,6,6\], but got /,
    );
    refuses(
      () => flashAttention(q, k, k, { cos }),
      /^flashAttention: cos and sin must be given together, but sin is missing$/,
    );
    refuses(
      () => flashAttention(joined, { causal: true }),
      /^flashAttention: option 'heads' must be given, since heads lie side by side in /,
    );
    refuses(
      () => flashAttention(joined, { heads: 5 }),
      /^flashAttention: qkv must be of a last dimension that is a multiple of 15 heads, but got /,
    );
    refuses(
      () => flashAttention(q, k, k, { heads: 2 }),
      /^flashAttention: option 'heads' must be 4, as the shapes say, or left out, but got 2$/,
    );
    tf.dispose(tensors);
  });
});
