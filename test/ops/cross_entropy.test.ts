import { expect } from 'chai';
import fc from 'fast-check';
import { runKernel } from '../../src/engine/run_kernel.js';
import { crossEntropy } from '../../src/index.js';
import { CrossEntropy, type CrossEntropyAttrs, CrossEntropyGrad } from '../../src/kernels/contracts/cross_entropy.js';
import { describeAgainstComposed, oddSize, random, smallOddSize } from '../support/against_composed.js';
import { backendName, tf } from '../support/backend.js';
import { describeGolden, expectClose, expectError, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('crossEntropy', ({ logits, labels, weight }, options) => {
  const result = crossEntropy(logits!, labels!, { ...options, weight });
  return (result instanceof tf.Tensor ? { loss: result } : result) as Record<string, tf.Tensor>;
});

const attrs: CrossEntropyAttrs = {
  ignoreIndex: 1,
  labelSmoothing: 0.1,
  lseSquareScale: 1e-3,
  softcap: 0,
  reduction: 'mean',
  numItemsInBatch: 0,
  returnZLoss: true,
  returnTokenAccuracy: true,
  returnPredictedTokens: true,
};

/** Labels in [0, vocabulary). */
const labelsOf = (rows: number, vocabulary: number) =>
  tf.tensor1d(
    Array.from({ length: rows }, (_, i) => (i * 7 + 3) % vocabulary),
    'int32',
  );

describe('crossEntropy', () => {
  const reduction = fc.constantFrom('mean' as const, 'sum' as const, 'none' as const);
  const softcap = fc.constantFrom(0, 2);

  describeAgainstComposed(
    CrossEntropy,
    [smallOddSize, oddSize, reduction, softcap],
    (rows, vocabulary, reduction, softcap) => ({
      inputs: {
        logits: tf.mul(random([rows, vocabulary]), 5),
        labels: labelsOf(rows, vocabulary),
        weight: tf.add(random([vocabulary], 2), 1.5),
      },
      attrs: { ...attrs, reduction, softcap },
    }),
  );

  describeAgainstComposed(
    CrossEntropyGrad,
    [smallOddSize, oddSize, reduction, softcap],
    (rows, vocabulary, reduction, softcap) => {
      const inputs = {
        logits: tf.mul(random([rows, vocabulary]), 5),
        labels: labelsOf(rows, vocabulary),
        weight: tf.add(random([vocabulary], 2), 1.5),
      };
      const call = { ...attrs, reduction, softcap };
      const { lse, stats } = runKernel(CrossEntropy, inputs, call);
      const dy = reduction === 'none' ? random([rows], 3) : tf.scalar(0.7);
      return { inputs: { ...inputs, dy, lse, stats }, attrs: call };
    },
  );

  it('takes any leading dimensions, arrays and no rows', async () => {
    await expectNoLeak(async () => {
      const vector = crossEntropy([0, Math.log(3)], 1);
      await expectClose(vector, [-Math.log(0.75)], OUTPUT_TOLERANCE);
      const cube = tf.tidy(() => crossEntropy(tf.zeros([2, 3, 4]), tf.zeros([2, 3], 'int32'), { reduction: 'none' }));
      expect(cube.shape).to.deep.equal([2, 3]);
      await expectClose(cube, Array(6).fill(Math.log(4)), OUTPUT_TOLERANCE);
      const none = tf.tidy(() => crossEntropy(tf.zeros([0, 4]), tf.zeros([0], 'int32')));
      await expectClose(none, [0], 0);
      tf.dispose([vector, cube, none]);
    });
  });

  it('is 0 with gradient 0 when every label is ignored', async () => {
    await expectNoLeak(async () => {
      const logits = random([3, 5]);
      const labels = tf.fill([3], -100, 'int32');
      const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => crossEntropy(x, labels))(logits);
      await expectClose(value, [0], 0);
      await expectClose(grad, Array(15).fill(0), 0);
      tf.dispose([logits, labels, value, grad]);
    });
  });

  it('answers NaN and infinities as PyTorch does', async () => {
    const loss = async (row: number[], label: number) => {
      const value = tf.tidy(() => crossEntropy(tf.tensor2d([row]), tf.tensor1d([label], 'int32')));
      const [result] = await value.data();
      value.dispose();
      return result;
    };
    expect(await loss([Number.NaN, 0, 0], 1)).to.be.NaN;
    expect(await loss([Number.POSITIVE_INFINITY, 0, 0], 1)).to.be.NaN;
    expect(await loss([Number.NEGATIVE_INFINITY, 0, 0], 1)).to.be.closeTo(Math.LN2, 1e-6);
    expect(await loss([Number.NEGATIVE_INFINITY, 0, 0], 0)).to.equal(Number.POSITIVE_INFINITY);
  });

  it('refuses labels out of range in JavaScript, and gives NaN for those on a device', async () => {
    await expectNoLeak(async () => {
      const logits = random([2, 4]);
      expectError(
        () => crossEntropy(logits, [0, 4]),
        /^crossEntropy: labels must be in \[0, 4\) or -100 \(ignoreIndex\), but got 4 at position 1$/,
      );
      expectError(() => crossEntropy(logits, [-1, 0]), /but got -1 at position 0/);
      const labels = tf.tidy(() => tf.add(tf.tensor1d([0, 3], 'int32'), tf.scalar(1, 'int32')));
      if (backendName === 'webgpu') {
        await labels.data();
        const onDevice = tf.tidy(() => tf.mul(tf.add(labels, labels), tf.onesLike(labels)));
        const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => crossEntropy(x, onDevice))(logits);
        if (
          (tf.backend() as unknown as { tensorMap: { get(id: object): { resource?: unknown } } }).tensorMap.get(
            onDevice.dataId,
          ).resource
        ) {
          expect((await value.data())[0]).to.be.NaN;
        }
        tf.dispose([onDevice, value, grad]);
      }
      tf.dispose([logits, labels]);
    });
  });

  it('refuses logits without classes', () => {
    const [labels, empty] = [tf.zeros([2], 'int32'), tf.zeros([2, 0])];
    expectError(
      () => crossEntropy(empty, labels),
      /^crossEntropy: logits must be of a shape whose V is at least 1, but got/,
    );
    tf.dispose([labels, empty]);
  });
});
