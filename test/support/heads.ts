/** Small heads of a language model, what losses make of them, and the same in float64. */
import { random } from './against_composed.js';
import { tf } from './backend.js';

/** The width of hidden states, and the number of classes. */
const [HIDDEN, VOCABULARY] = [4, 5];

export interface TestHead {
  /** [rows, length, 4] */
  x: tf.Tensor;
  /** [5, 4] */
  weight: tf.Tensor;
  /** [5] */
  bias: tf.Tensor;
}

export const headOf = (rows: number, length: number): TestHead => ({
  x: random([rows, length, HIDDEN]),
  weight: random([VOCABULARY, HIDDEN], 2),
  bias: random([VOCABULARY], 3),
});

/** Labels [rows, length], every fifth one ignored. */
export const labelsOf = (rows: number, length: number): tf.Tensor =>
  tf.tensor(
    Array.from({ length: rows * length }, (_, i) => (i % 5 === 4 ? -100 : (i * 7 + 3) % VOCABULARY)),
    [rows, length],
    'int32',
  );

/** A loss, and its gradients in x, weight and bias. */
export const lossAndGradients = (
  { x, weight, bias }: TestHead,
  lossOf: (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) => tf.Tensor,
): tf.Tensor[] =>
  tf.tidy(() => {
    const { value, grads } = tf.valueAndGrads(lossOf as (...tensors: tf.Tensor[]) => tf.Tensor)([x, weight, bias]);
    return [value, ...grads];
  });

/** What `lossAndGradients` returns, in words. */
export const PARTS = ['loss', 'gradient of x', 'gradient of weight', 'gradient of bias'];

/** A token's log-probability, and its slope in the token's hidden state; both 0 where the label is ignored. */
export interface TokenLogp {
  logp: number;
  slope: number[];
}

/**
 * The log-probabilities of labels under a head, token by token, in float64 and without cancellation: all probabilities are
 * taken relative to that of the label.
 */
export async function logpsInFloat64(
  { x, weight, bias }: Omit<TestHead, 'bias'> & { bias?: tf.Tensor },
  labels: tf.Tensor,
): Promise<TokenLogp[]> {
  const [xs, ws, bs, ys] = await Promise.all([x.data(), weight.data(), bias?.data(), labels.data()]);
  const [classes, hidden] = weight.shape as [number, number];
  return Array.from(ys, (label, t) => {
    const zeros: number[] = new Array(hidden).fill(0);
    if (label < 0) return { logp: 0, slope: zeros };
    const logit = (c: number) =>
      zeros.reduce((sum, _, h) => sum + xs[t * hidden + h]! * ws[c * hidden + h]!, bs?.[c] ?? 0);
    const odds = Array.from({ length: classes }, (_, c) => Math.exp(logit(c) - logit(label)));
    const others = odds.reduce((sum, value, c) => (c === label ? sum : sum + value), 0);
    const slope = zeros.map((_, h) =>
      odds.reduce((sum, value, c) => sum + (value / (1 + others)) * (ws[label * hidden + h]! - ws[c * hidden + h]!), 0),
    );
    return { logp: -Math.log1p(others), slope };
  });
}

/** Of each `length` tokens in turn, the sum of their log-probabilities. */
export const sumsOf = (tokens: TokenLogp[], length: number): number[] =>
  Array.from({ length: tokens.length / length }, (_, row) =>
    tokens.slice(row * length, (row + 1) * length).reduce((sum, { logp }) => sum + logp, 0),
  );

/** The gradient of x, [rows, length, hidden], from the slopes of a loss in the sums of `sumsOf`. */
export const gradientOfX = (tokens: TokenLogp[], length: number, slopes: number[]): number[] =>
  tokens.flatMap(({ slope }, t) => slope.map((value) => value * slopes[Math.floor(t / length)]!));
