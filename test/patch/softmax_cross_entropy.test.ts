import type { Tensor } from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { random, smallOddSize } from '../support/against_composed.js';
import { backendName, tf } from '../support/backend.js';
import { expectClose, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';
import { withAndWithout, withPatch } from './patched.js';

const { Reduction } = tf;

/** The loss and its gradient, of labels that are one-hot. */
async function lossAndGradient(
  [rows, classes]: [number, number],
  { weighted = false, labelSmoothing = 0, reduction = Reduction.SUM_BY_NONZERO_WEIGHTS },
) {
  const { value, grad } = tf.tidy(() => {
    const logits = random([rows, classes], 2) as tf.Tensor2D;
    const classOf = tf.tensor1d(
      Array.from({ length: rows }, (_, i) => (i * 5) % classes),
      'int32',
    );
    const labels = tf.oneHot(classOf, classes);
    const weights = weighted ? tf.range(1, rows + 1) : undefined;
    const loss = (x: Tensor) => tf.losses.softmaxCrossEntropy(labels, x, weights, labelSmoothing, reduction);
    return tf.valueAndGrad((x) => tf.sum(loss(x)))(logits);
  });
  const result = { value: await value.data(), grad: await grad.data() };
  tf.dispose([value, grad]);
  return result;
}

describe('tf.losses.softmaxCrossEntropy, patched', () => {
  it("gives tfjs's numbers, for any size and option", async () => {
    await fc.assert(
      fc.asyncProperty(
        smallOddSize,
        fc.constantFrom(2, 3, 8, 33, 257),
        fc.record({
          weighted: fc.boolean(),
          labelSmoothing: fc.constantFrom(0, 0.2),
          reduction: fc.constantFrom(Reduction.NONE, Reduction.MEAN, Reduction.SUM, Reduction.SUM_BY_NONZERO_WEIGHTS),
        }),
        async (rows, classes, options) => {
          await expectNoLeak(async () => {
            const run = () => lossAndGradient([rows, classes], options);
            const { patched, expected } = await withAndWithout(run, { stockKernels: false });
            await expectClose(patched.value, expected.value, OUTPUT_TOLERANCE);
            await expectClose(patched.grad, expected.grad, GRADIENT_TOLERANCE);
          });
        },
      ),
      { numRuns: 12 },
    );
  });

  it('spreads labels over the dimension that tfjs spreads them over', async () => {
    for (const shape of [
      [2, 3, 4],
      [2, 4, 4],
    ]) {
      const run = async () => {
        const { value, grad } = tf.tidy(() => {
          const labels = tf.cast(tf.greater(random(shape, 3), 0.3), 'bool');
          const loss = (x: Tensor) => tf.losses.softmaxCrossEntropy(labels, x, undefined, 0.2);
          return tf.valueAndGrad(loss)(random(shape));
        });
        const result = { value: await value.data(), grad: await grad.data() };
        tf.dispose([value, grad]);
        return result;
      };
      await expectNoLeak(async () => {
        const { patched, expected } = await withAndWithout(run, { stockKernels: false });
        await expectClose(patched.value, expected.value, OUTPUT_TOLERANCE);
        await expectClose(patched.grad, expected.grad, GRADIENT_TOLERANCE);
      });
    }
  });

  it('makes no floats of one-hot labels on WebGPU', async () => {
    await withPatch(async () => {
      const labels = tf.tidy(() => tf.oneHot(tf.tensor1d([1, 0, 7], 'int32'), 8));
      const logits = random([3, 8]);
      for (const labelSmoothing of [0, 0.2]) {
        const { kernelNames, result } = await tf.profile(() =>
          tf.tidy(() => tf.losses.softmaxCrossEntropy(labels, logits, undefined, labelSmoothing)),
        );
        expect(kernelNames).to.include('LigerSoftCrossEntropy');
        if (backendName === 'webgpu') expect(kernelNames).not.to.include.oneOf(['Cast', 'Multiply']);
        tf.dispose(result);
      }
      tf.dispose([labels, logits]);
    });
  });

  it('takes any rank, arrays, and what is wrong as tfjs does', async () => {
    await withPatch(async () => {
      const three = tf.tidy(() => tf.losses.softmaxCrossEntropy(tf.ones([2, 3, 4]), tf.zeros([2, 3, 4])));
      await expectClose(three, [4 * Math.log(4)], OUTPUT_TOLERANCE);
      three.dispose();
      const array = tf.losses.softmaxCrossEntropy([[1, 0]], [[0, 0]]);
      await expectClose(array, [Math.log(2)], OUTPUT_TOLERANCE);
      array.dispose();
      expect(() => tf.losses.softmaxCrossEntropy(tf.ones([2]), tf.ones([3]))).to.throw(/Error in softmaxCrossEntropy/);
    });
  });
});
