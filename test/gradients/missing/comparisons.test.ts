import { expect } from 'chai';
import {
  equal,
  greater,
  less,
  lessEqual,
  logicalAnd,
  logicalNot,
  logicalOr,
  notEqual,
} from '../../../src/gradients/missing/comparisons.js';
import { tf } from '../../support/backend.js';
import { expectNoLeak } from '../../support/golden.js';
import { expectGradients, withGradients } from '../../support/gradients.js';

describe('the gradient of conditions', () => {
  withGradients(equal, notEqual, greater, less, lessEqual, logicalAnd, logicalOr, logicalNot);

  const negated = (f: (x: tf.Tensor) => tf.Tensor) => (x: tf.Tensor) => tf.logicalNot(f(x));
  const conditions: Record<string, (x: tf.Tensor) => tf.Tensor> = {
    'x = 2': (x) => tf.equal(x, 2),
    'x ≠ 2': (x) => tf.notEqual(x, 2),
    'x > 2': (x) => tf.greater(x, 2),
    'x < 2': (x) => tf.less(x, 2),
    'x ≤ 2': (x) => tf.lessEqual(x, 2),
    'x > y of the same': (x) => tf.greater(x, tf.square(x)),
    'x < 2 or x > 2': (x) => tf.logicalOr(tf.less(x, 2), tf.greater(x, 2)),
    'x > 1 and x < 3': (x) => tf.logicalAnd(tf.greater(x, 1), tf.less(x, 3)),
    'not x > 2': negated((x) => tf.greater(x, 2)),
  };
  for (const [name, condition] of Object.entries(conditions)) {
    it(`leaves x² where ${name} to differentiate`, async () => {
      await expectNoLeak(async () => {
        const x = tf.tensor1d([-1, 0.5, 2, 3]);
        const where = tf.tidy(() => condition(x));
        const expected = [...(await where.data())].map((isTrue, i) => (isTrue ? 2 * [-1, 0.5, 2, 3][i]! : 0));
        expect(expected).to.include(0);
        await expectGradients((v) => tf.where(condition(v!), tf.square(v!), tf.zerosLike(v!)), [x], undefined, [
          expected,
        ]);
        tf.dispose([x, where]);
      });
    });
  }

  it('leaves a/b, 0 where b is 0, to differentiate', async () => {
    await expectNoLeak(async () => {
      const [a, b] = [tf.tensor1d([1, 2, 3]), tf.tensor1d([2, 4, -1])];
      const f = (x: tf.Tensor, y: tf.Tensor) => tf.divNoNan(x, y);
      await expectGradients(f, [a, b], undefined, [
        [0.5, 0.25, -1],
        [-0.25, -0.125, -3],
      ]);
      tf.dispose([a, b]);
    });
  });
});
