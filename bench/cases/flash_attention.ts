import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward, onInputs } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';
import { stockAttention } from './shared/stock_attention.js';

/** What a query sees of its sequence, no later tokens among it. */
interface Mask {
  /** So many tokens, itself included. */
  slidingWindow?: number;
  /** Tokens of its own segment, of those of this length that the sequence is packed of. */
  segment?: number;
}

const segmentsOf = (length: number, segment: number): tf.Tensor =>
  tf.tensor(
    Int32Array.from({ length }, (_, i) => Math.floor(i / segment)),
    [1, length],
    'int32',
  );

/** What is added to the scores, [T, T]: 0 where a query sees a key. */
function stockMask(length: number, { slidingWindow, segment }: Mask): tf.Tensor {
  let seen: tf.Tensor = tf.linalg.bandPart(tf.ones([length, length]), slidingWindow ? slidingWindow - 1 : -1, 0);
  if (segment) {
    const ids = tf.cast(segmentsOf(length, segment), 'float32');
    seen = tf.mul(seen, tf.cast(tf.equal(tf.transpose(ids), ids), 'float32'));
  }
  return tf.mul(-1e9, tf.sub(1, seen));
}

/** One length of sequences and one mask; how many products of a query and a key it leaves follows from them. */
function training(
  shape: number[],
  timed: 'forward' | 'forward and backward',
  target: number | undefined,
  mask: Mask = {},
): BenchCase {
  const [batch, heads, length, size] = shape as [number, number, number, number];
  const { slidingWindow, segment } = mask;
  const scores = batch * heads * length * (slidingWindow ?? (segment ?? length) / 2);
  const inputs = () => ({
    q: noise(shape, 1),
    k: noise(shape, 3),
    v: noise(shape, 5),
    ...(segment && { segmentIds: segmentsOf(length, segment) }),
    ...(timed !== 'forward' && { dy: noise(shape, 7) }),
  });
  const stockInputs = () => ({ ...inputs(), mask: stockMask(length, mask) });
  const run = <I extends Record<string, tf.Tensor>>(make: () => I, attend: (inputs: I) => tf.Tensor) =>
    timed === 'forward'
      ? onInputs(make, (inputs) => [attend(inputs)])
      : forwardAndBackward(make, ['q', 'k', 'v'], attend);
  return {
    op: 'flashAttention',
    shape: [
      `[${shape.join(', ')}], causal`,
      slidingWindow && `window ${slidingWindow}`,
      segment && `${length / segment} segments`,
    ]
      .filter(Boolean)
      .join(', '),
    timed,
    target,
    // Scores and sums of values; backward computes the scores again, and four products of their size.
    operations: (timed === 'forward' ? 4 : 14) * scores * size,
    stockBytes: (timed === 'forward' ? 4 : 8) * batch * heads * length ** 2 * 4,
    ours: run(inputs, ({ q, k, v, segmentIds }) =>
      liger.flashAttention(q, k, v, { causal: true, slidingWindow, segmentIds }),
    ),
    // The scores of longer ones take gigabytes in each op.
    stock: length > 1024 ? undefined : run(stockInputs, ({ q, k, v, mask }) => stockAttention(q, k, v, mask)),
  };
}

/** One token against a cache. */
function decoding(heads: number, keyHeads: number, length: number, size: number): BenchCase {
  const inputs = () => ({
    q: noise([1, heads, 1, size], 1),
    k: noise([1, keyHeads, length, size], 3),
    v: noise([1, keyHeads, length, size], 5),
  });
  return {
    op: 'flashAttention',
    shape: `[1, ${heads}, 1, ${size}], k, v [1, ${keyHeads}, ${length}, ${size}]`,
    timed: 'forward',
    // k and v are read.
    bytes: 2 * keyHeads * length * size * 4,
    ours: onInputs(inputs, ({ q, k, v }) => [liger.flashAttention(q, k, v, { causal: true })]),
    stock: onInputs(inputs, ({ q, k, v }) => {
      const grouped = tf.reshape(q, [1, keyHeads, heads / keyHeads, size]);
      return [tf.reshape(stockAttention(grouped, k, v), q.shape)];
    }),
  };
}

export function flashAttention(quick: boolean): BenchCase[] {
  if (quick) {
    const tiny = [1, 2, 40, 16];
    return [
      training(tiny, 'forward', undefined),
      training(tiny, 'forward and backward', undefined),
      training(tiny, 'forward and backward', undefined, { slidingWindow: 8 }),
      training(tiny, 'forward and backward', undefined, { segment: 10 }),
      decoding(4, 2, 40, 16),
    ];
  }
  const [short, long] = [
    [8, 12, 1024, 64],
    [1, 12, 8192, 64],
  ];
  return [
    training(short, 'forward', 0.48),
    training(short, 'forward and backward', 1.68),
    training(long, 'forward', 3.5),
    training(long, 'forward and backward', 11.7),
    training(long, 'forward and backward', undefined, { slidingWindow: 512 }),
    training(long, 'forward and backward', undefined, { segment: 512 }),
    decoding(32, 8, 8192, 128),
  ];
}
