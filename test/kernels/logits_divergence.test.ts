import fc from 'fast-check';
import { LogitsDivergence, LogitsDivergenceGrad } from '../../src/kernels/contracts/logits_divergence.js';
import { describeAgainstComposed, oddSize, random, smallOddSize } from '../support/against_composed.js';
import { tf } from '../support/backend.js';

const KINDS = [
  { kind: 'jsd', beta: 0 },
  { kind: 'jsd', beta: 0.3 },
  { kind: 'jsd', beta: 1 },
  { kind: 'klDiv', beta: 0 },
  { kind: 'cosine', beta: 0 },
] as const;

type Kind = (typeof KINDS)[number];

const logits = (rows: number, columns: number, seed: number) => tf.mul(random([rows, columns], seed), 3);

/** Two models' logits, or logits and probabilities. */
const inputsOf = (rows: number, columns: number, { kind }: Kind) => ({
  student: logits(rows, columns, 1),
  teacher: kind === 'klDiv' ? tf.softmax(logits(rows, columns, 2)) : logits(rows, columns, 2),
});

describe('the divergence of logits', () => {
  // Of a single class all that is left of a gradient is rounding.
  const classes = oddSize.map((size) => Math.max(size, 2));
  const sizes = [smallOddSize, classes, fc.constantFrom(...KINDS)] as const;

  describeAgainstComposed(
    LogitsDivergence,
    [...sizes],
    (rows, columns, attrs) => ({ inputs: inputsOf(rows, columns, attrs), attrs }),
    { numRuns: 12 },
  );

  describeAgainstComposed(
    LogitsDivergenceGrad,
    [...sizes],
    (rows, columns, attrs) => {
      const { student, teacher } = inputsOf(rows, columns, attrs);
      const norm = (x: tf.Tensor) => tf.sqrt(tf.sum(tf.square(x), 1));
      const ofCosine = () => {
        const [a, b] = [norm(student), norm(teacher)];
        return [tf.div(1, a), tf.div(1, b), tf.div(tf.sum(tf.mul(student, teacher), 1), tf.mul(a, b))];
      };
      const ofDivergence = () => {
        const lse = [tf.logSumExp(student, 1), attrs.kind === 'klDiv' ? tf.zeros([rows]) : tf.logSumExp(teacher, 1)];
        return [...lse, random([rows], 4)];
      };
      const stats = tf.stack(attrs.kind === 'cosine' ? ofCosine() : ofDivergence(), 1);
      return { inputs: { student, teacher, stats, dloss: random([rows], 5) }, attrs };
    },
    { numRuns: 12 },
  );
});
