/** Property tests of a divergence between rows. */
import fc from 'fast-check';
import type { Contract } from '../../src/kernels/contracts/shared/contract.js';
import type {
  DivergenceAttrs,
  DivergenceGradInputs,
  DivergenceInputs,
  DivergenceReduction,
} from '../../src/kernels/contracts/shared/divergence.js';
import { describeAgainstComposed, oddSize, random, smallOddSize } from './against_composed.js';
import { tf } from './backend.js';

const logits = (rows: number, columns: number, seed: number) => tf.mul(random([rows, columns], seed), 3) as tf.Tensor2D;

/** Log-probabilities, or probabilities, of rows. */
export const logProbabilities = (rows: number, columns: number, seed: number) =>
  tf.logSoftmax(logits(rows, columns, seed));
export const probabilities = (rows: number, columns: number, seed: number) => tf.softmax(logits(rows, columns, seed));

/**
 * @param make What the kernels are given as input and as target.
 * @param own Attributes of the divergence's own.
 */
export function describeDivergence<Attrs extends DivergenceAttrs>(
  forward: Contract<DivergenceInputs, Attrs, unknown>,
  backward: Contract<DivergenceGradInputs, Attrs, unknown>,
  make: (rows: number, columns: number) => { input: tf.Tensor; target: tf.Tensor },
  own: ReadonlyArray<Omit<Attrs, keyof DivergenceAttrs>>,
  reductions: readonly DivergenceReduction[] = ['mean', 'batchmean', 'sum', 'none'],
): void {
  const sizes = [smallOddSize, oddSize, fc.constantFrom(...reductions), fc.boolean(), fc.constantFrom(...own)] as const;
  const call = (
    rows: number,
    columns: number,
    reduction: DivergenceReduction,
    labelled: boolean,
    more: Omit<Attrs, keyof DivergenceAttrs>,
  ) => ({
    inputs: {
      ...make(rows, columns),
      ...(labelled && {
        labels: tf.tensor1d(
          Array.from({ length: rows }, (_, i) => (i % 3 === 1 ? -100 : i)),
          'int32',
        ),
      }),
    },
    attrs: { reduction, ignoreIndex: -100, ...more } as Attrs,
  });
  describeAgainstComposed(forward, [...sizes], (...values) => call(...values), { numRuns: 10 });
  describeAgainstComposed(
    backward,
    [...sizes],
    (...values) => {
      const { inputs, attrs } = call(...values);
      const isReduced = attrs.reduction !== 'none';
      const dy = isReduced ? tf.scalar(0.7) : random(inputs.input.shape, 9);
      return { inputs: { ...inputs, dy, ...(isReduced && { divisor: tf.scalar(3) }) }, attrs };
    },
    { numRuns: 10 },
  );
}
