import { expect } from 'chai';
import { backendName, target, tf } from './support/backend.js';
import { describeGolden, expectClose, expectError, expectNoLeak, loadSafetensors } from './support/golden.js';

describe(`the harness on ${target}`, () => {
  it('runs ops on the backend under test', async () => {
    expect(tf.getBackend()).to.equal(backendName);
    await expectNoLeak(async () => {
      const [a, b] = [tf.randomNormal([64, 128]), tf.randomNormal([128, 32])];
      const c = tf.matMul(a, b);
      const d = tf.tidy(() => tf.transpose(tf.matMul(b, a, true, true)));
      await expectClose(c, d, 2e-6, 'a·b');
      tf.dispose([a, b, c, d]);
    });
  });

  it('has gradients of stock ops', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
      const gradient = tf.grad((t) => tf.sum(tf.mul(tf.square(t), 3)))(x);
      await expectClose(gradient, [6, 12, 18, 24], 0, 'gradient');
      tf.dispose([x, gradient]);
    });
  });

  it('reads reference files', async () => {
    const { metadata, tensors } = await loadSafetensors('training/gpt2');
    expect(metadata.optimizer).to.be.an('object');
    expect(tensors.losses?.shape).to.deep.equal([30]);
    expect(tensors.inputIds?.dtype).to.equal('int32');
  });

  it('notices leaks and errors', () => {
    expect(() => expectNoLeak(() => tf.keep(tf.scalar(1)))).to.throw(/as before/);
    expectError(() => tf.tensor([1, 2, 3], [2, 2]), /should have 4 values/);
  });
});

describeGolden('softmax', ({ x }) => ({ y: tf.softmax(x!) }));
