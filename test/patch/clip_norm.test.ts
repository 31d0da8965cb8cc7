import type { Scalar, Tensor } from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { patch } from '../../src/index.js';
import { tf } from '../support/backend.js';
import { expectClose, OUTPUT_TOLERANCE } from '../support/golden.js';
import { withPatch } from './patched.js';

describe('clipNorm of patch', () => {
  /** A step of SGD with the gradients [3, 4] and [12], whose global norm is 13. */
  async function step(): Promise<number[]> {
    const [a, b] = [tf.variable(tf.zeros([2])), tf.variable(tf.zeros([1]))];
    const loss = () => tf.add(tf.sum(tf.mul(a, [3, 4])), tf.sum(tf.mul(b, [12]))) as Scalar;
    tf.train.sgd(1).minimize(loss, false, [a, b]);
    const numbers = (await Promise.all([a, b].map((variable: Tensor) => variable.data()))).flatMap((data) => [...data]);
    tf.dispose([a, b]);
    return numbers;
  }

  it('scales the gradients of any optimizer down to it', async () => {
    await withPatch(async () => expectClose(await step(), [-3 / 13, -4 / 13, -12 / 13], OUTPUT_TOLERANCE), {
      clipNorm: 1,
    });
    await withPatch(async () => expectClose(await step(), [-3, -4, -12], OUTPUT_TOLERANCE), { clipNorm: 14 });
    await expectClose(await step(), [-3, -4, -12], 0);
  });

  it('may be changed', async () => {
    const unpatch = patch({ clipNorm: 1 });
    patch({ clipNorm: 6.5 });
    await expectClose(await step(), [-1.5, -2, -6], OUTPUT_TOLERANCE);
    unpatch();
    await expectClose(await step(), [-3, -4, -12], 0);
  });

  it('keeps no tensor', async () => {
    const kept = async (run: () => Promise<unknown>) => {
      const before = tf.memory().numTensors;
      await run();
      return tf.memory().numTensors - before;
    };
    const byStock = await kept(step);
    expect(await kept(() => withPatch(step, { clipNorm: 1 }))).to.equal(byStock);
  });
});
