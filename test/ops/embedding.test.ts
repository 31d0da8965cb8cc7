import { expect } from 'chai';
import fc from 'fast-check';
import { embedding } from '../../src/index.js';
import { Embedding, EmbeddingGrad } from '../../src/kernels/contracts/embedding.js';
import { describeAgainstComposed, itDifferentiatesByName, random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectError, expectNoLeak } from '../support/golden.js';

describeGolden('embedding', ({ table, indices }) => ({ y: embedding(table!, indices!) }));

describe('embedding', () => {
  const vocabulary = fc.constantFrom(1, 2, 7, 50, 1000);
  const tokens = fc.constantFrom(1, 2, 31, 257, 1500);
  const hidden = fc.constantFrom(1, 2, 4, 7, 33, 64, 257, 1025, 1028);
  const indicesOf = (count: number, vocabularySize: number) =>
    tf.tensor1d(
      Array.from({ length: count }, (_, i) => (i * i * 31 + 7 * i) % vocabularySize),
      'int32',
    );

  /** Indices that the check does not find, since they are not in JavaScript's memory. */
  const onDevice = (values: number[]) => tf.add(tf.tensor1d(values, 'int32'), tf.scalar(0, 'int32'));

  describeAgainstComposed(Embedding, [vocabulary, tokens, hidden], (vocabularySize, count, width) => ({
    inputs: { table: random([vocabularySize, width]), indices: indicesOf(count, vocabularySize) },
    attrs: {},
  }));

  describeAgainstComposed(EmbeddingGrad, [vocabulary, tokens, hidden], (vocabularySize, count, width) => ({
    inputs: { dy: random([count, width]), indices: indicesOf(count, vocabularySize) },
    attrs: { vocabularySize },
  }));

  it('takes arrays, one index, and none', async () => {
    await expectNoLeak(async () => {
      const table = [
        [1, 2, 3],
        [4, 5, 6],
      ];
      const rows = embedding(table, [[1, 0, 1]]);
      const one = embedding(table, 1);
      expect(rows.shape).to.deep.equal([1, 3, 3]);
      expect(one.shape).to.deep.equal([3]);
      await expectClose(rows, [4, 5, 6, 1, 2, 3, 4, 5, 6], 0);
      await expectClose(one, [4, 5, 6], 0);
      const weights = tf.tensor2d(table);
      const none = tf.zeros([2, 0], 'int32');
      const noRows = embedding(weights, none);
      expect(noRows.shape).to.deep.equal([2, 0, 3]);
      const gradient = tf.grad((t) => embedding(t, none))(weights);
      await expectClose(gradient, [0, 0, 0, 0, 0, 0], 0);
      tf.dispose([rows, one, weights, none, noRows, gradient]);
    });
  });

  it('sums the uses of a row in their order', async () => {
    await expectNoLeak(async () => {
      // In float32 any other order gives another sum.
      const dy = tf.tensor2d([1, 1e8, -1e8, 1, 3], [5, 1]);
      const indices = tf.tensor1d([1, 1, 1, 1, 0], 'int32');
      const table = tf.zeros([3, 1]);
      const gradient = tf.grad((t) => embedding(t, indices))(table, dy);
      await expectClose(gradient, [3, 1, 0], 0);
      tf.dispose([dy, indices, table, gradient]);
    });
  });

  it('gives NaN for an index out of range that is on the device, and no gradient', async () => {
    const table = random([5, 4]);
    const { values, grads } = tf.tidy(() => {
      const inputs = { table, indices: onDevice([4, 5, -1, 0]) };
      const dy = tf.ones([4, 4]);
      const run = (name: string, tensors: tf.NamedTensorMap, attrs: tf.NamedAttrMap) =>
        tf.engine().runKernel(name, tensors, attrs) as tf.Tensor;
      return {
        values: run(Embedding.name, inputs, {}),
        grads: run(EmbeddingGrad.name, { dy, indices: inputs.indices }, { vocabularySize: 5 }),
      };
    });
    const y = await values.data();
    const expected = await table.data();
    expect([...y.slice(0, 4)]).to.deep.equal([...expected.slice(16)]);
    expect([...y.slice(4, 12)]).to.deep.equal(Array(8).fill(Number.NaN));
    expect([...y.slice(12)]).to.deep.equal([...expected.slice(0, 4)]);
    await expectClose(grads, [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1], 0);
    tf.dispose([table, values, grads]);
  });

  itDifferentiatesByName(
    Embedding,
    () => ({
      inputs: { table: random([5, 4]) },
      constants: { indices: tf.tensor1d([1, 3, 1], 'int32') },
      attrs: {},
    }),
    ({ table, indices }) => embedding(table!, indices!),
  );

  it('names what is wrong', () => {
    const table = tf.ones([5, 4]);
    const floats = tf.ones([3]);
    expectError(() => embedding(table, [0, 5]), /^embedding: indices must be in \[0, 5\), but got 5 at position 1$/);
    expectError(() => embedding(table, [[-1]]), /^embedding: indices must be in \[0, 5\), but got -1 at position 0$/);
    expectError(
      () => embedding(table, floats),
      /^embedding: indices must be an int32 tensor, but got a float32 tensor of shape \[3\]; pass indices\.toInt\(\)$/,
    );
    expectError(
      () => embedding(table, [0], { axis: 0 } as never),
      /^embedding: unknown option 'axis'; this op has no options$/,
    );
    expectError(() => embedding(floats as never, [0]), /^embedding: table must have shape \[V,C\], but got/);
    tf.dispose([table, floats]);
  });
});
