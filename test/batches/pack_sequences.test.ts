import { expect } from 'chai';
import { embedding, flashAttention, fusedLinearCrossEntropy, linear, packSequences } from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { expectClose, expectError, expectNoLeak } from '../support/golden.js';

describe('packSequences', () => {
  it('fills rows, the longest sequence first', async () => {
    await expectNoLeak(async () => {
      const { tokens, labels, segmentIds, positions, places } = packSequences([[1, 2], [3, 4, 5, 6], [7]], {
        length: 4,
      });
      expect(await tokens.array()).to.deep.equal([
        [3, 4, 5, 6],
        [1, 2, 7, 0],
      ]);
      expect(await labels.array()).to.deep.equal([
        [4, 5, 6, -100],
        [2, -100, -100, -100],
      ]);
      expect(await segmentIds.array()).to.deep.equal([
        [1, 1, 1, 1],
        [1, 1, 2, 0],
      ]);
      expect(await positions.array()).to.deep.equal([
        [0, 1, 2, 3],
        [0, 1, 0, 0],
      ]);
      expect(places).to.deep.equal([
        { row: 1, start: 0, length: 2 },
        { row: 0, start: 0, length: 4 },
        { row: 1, start: 2, length: 1 },
      ]);
      tf.dispose([tokens, labels, segmentIds, positions]);
    });
  });

  it('trains as padding does: losses and gradients are the same', async () => {
    await expectNoLeak(async () => {
      const [vocabulary, hidden, heads] = [11, 16, 2];
      const sequences = [9, 3, 5, 12, 2].map((length, i) =>
        Array.from({ length }, (_, t) => (3 * t + 5 * i) % vocabulary),
      );
      const angles = random([12, hidden / heads], 7);
      const weights = [
        random([vocabulary, hidden], 1),
        random([3 * hidden, hidden], 2),
        random([hidden, hidden], 3),
        random([vocabulary, hidden], 4),
      ];
      /** Attention between an embedding and a head: the loss, summed over all tokens, and its gradients. */
      const train = (tokens: tf.Tensor2D, labels: tf.Tensor2D, positions: tf.Tensor2D, mask: object) =>
        tf.tidy(() => {
          const table = tf.gather(angles, positions);
          const rotation = { cos: tf.cos(table), sin: tf.sin(table) };
          const { value, grads } = tf.valueAndGrads((table, qkv, out, head) => {
            const x = embedding(table!, tokens);
            const y = flashAttention(linear(x, qkv!), { heads, causal: true, ...rotation, ...mask });
            return fusedLinearCrossEntropy(tf.add(x, linear(y, out!)), head!, labels, {
              reduction: 'sum',
            }) as tf.Tensor;
          })(weights);
          return [value, ...grads];
        });
      const packed = packSequences(sequences);
      expect(packed.tokens.shape).to.deep.equal([3, 12]);
      const { tokens, labels, positions, segmentIds } = packed;
      const actual = train(tokens, labels, positions, { segmentIds });
      const pad = (sequence: number[], fill: number) => [...sequence, ...new Array(12 - sequence.length).fill(fill)];
      const int32 = (rows: number[][]) => tf.tensor2d(rows, [5, 12], 'int32');
      const padded = {
        tokens: int32(sequences.map((sequence) => pad(sequence, 0))),
        labels: int32(sequences.map((sequence) => pad(sequence.slice(1), -100))),
        positions: int32(sequences.map(() => Array.from({ length: 12 }, (_, t) => t))),
        keyLengths: tf.tensor1d(
          sequences.map(({ length }) => length),
          'int32',
        ),
      };
      const expected = train(padded.tokens, padded.labels, padded.positions, { keyLengths: padded.keyLengths });
      for (const [i, tensor] of actual.entries()) await expectClose(tensor, expected[i]!, 1e-6, `number ${i}`);
      tf.dispose([weights, angles, tokens, labels, positions, segmentIds, actual, expected, Object.values(padded)]);
    });
  });

  it('names what is wrong', () => {
    expectError(() => packSequences([]), /^packSequences: sequences must be a list of lists of tokens, but got /);
    expectError(() => packSequences([[1], []]), /^packSequences: sequences\[1\] is empty$/);
    expectError(
      () => packSequences([[1, 2, 3]], { length: 2 }),
      /^packSequences: sequences\[0\] has 3 tokens, and a row only 2$/,
    );
    expectError(
      () => packSequences([[1]], { lenght: 2 } as never),
      /^packSequences: unknown option 'lenght'; did you mean 'length'\?$/,
    );
  });
});
