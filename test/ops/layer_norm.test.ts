import { expect } from 'chai';
import { runKernel } from '../../src/engine/run_kernel.js';
import { layerNorm } from '../../src/index.js';
import { LayerNorm, LayerNormGrad } from '../../src/kernels/contracts/layer_norm.js';
import { describeRowsAgainstComposed, itDifferentiatesByName, random, rowsOf } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('layerNorm', ({ x, gamma, beta }, options) => ({ y: layerNorm(x!, gamma!, beta!, options) }));

// A mean of about 0 would have a large relative error.
const forwardCall = (rows: number, hidden: number) => ({
  inputs: { x: tf.add(random([rows, hidden]), 0.5), gamma: random([hidden], 2), beta: random([hidden], 3) },
  attrs: { epsilon: 0.1 },
});

const backwardCall = (rows: number, hidden: number) => {
  const x = random([rows, hidden]);
  const { mean, variance } = tf.moments(x, -1);
  const rstd = tf.rsqrt(tf.add(variance, 0.1));
  return { inputs: { dy: random([rows, hidden], 3), x, gamma: random([hidden], 2), mean, rstd }, attrs: {} };
};

describe('layerNorm', () => {
  describeRowsAgainstComposed(
    [rowsOf(LayerNorm, forwardCall), rowsOf(LayerNormGrad, backwardCall)],
    [
      [2, 40000],
      [3, 40001],
      [1030, 12],
      [66000, 4],
    ],
  );

  it('does not cancel where the mean is large', async () => {
    await expectNoLeak(async () => {
      // 1024 ± 1 is exact in float32; its square is not.
      const [x, gamma, beta] = [tf.tensor2d([[1023, 1025, 1025, 1023]]), tf.ones([4]), tf.zeros([4])];
      const y = layerNorm(x, gamma, beta, { epsilon: 0 });
      await expectClose(y, [-1, 1, 1, -1], OUTPUT_TOLERANCE);
      tf.dispose([x, gamma, beta, y]);
    });
  });

  it('takes arrays, no rows, and a vector', async () => {
    await expectNoLeak(async () => {
      const vector = layerNorm([1, 3], [1, 2], [0, 1], { epsilon: 0 });
      await expectClose(vector, [-1, 3], OUTPUT_TOLERANCE);
      const none = tf.tidy(() => layerNorm(tf.zeros([0, 8]), tf.ones([8]), tf.ones([8])));
      expect(none.shape).to.deep.equal([0, 8]);
      tf.dispose([vector, none]);
    });
  });

  it('has the gradients of a vector, and those of no rows', async () => {
    await expectNoLeak(async () => {
      const inputs = [tf.tensor1d([1, 3]), tf.tensor1d([1, 2]), tf.tensor1d([0, 1])];
      const ofVector = tf.grads((x, gamma, beta) => tf.sum(layerNorm(x, gamma, beta, { epsilon: 1 })))(inputs);
      const normalized = Math.SQRT1_2;
      await expectClose(ofVector[0]!, [-0.25 * normalized, 0.25 * normalized], GRADIENT_TOLERANCE, 'dx');
      await expectClose(ofVector[1]!, [-normalized, normalized], OUTPUT_TOLERANCE, 'dgamma');
      await expectClose(ofVector[2]!, [1, 1], 0, 'dbeta');
      const [x, mean] = [tf.zeros([0, 2]), tf.zeros([0])];
      const ofNone = runKernel(LayerNormGrad, { dy: x, x, gamma: inputs[1]!, mean, rstd: mean }, {});
      await expectClose(ofNone.dx, x, 0, 'dx of no rows');
      await expectClose(ofNone.dgamma, [0, 0], 0, 'dgamma of no rows');
      await expectClose(ofNone.dbeta, [0, 0], 0, 'dbeta of no rows');
      tf.dispose([inputs, ofVector, x, mean, ofNone]);
    });
  });

  itDifferentiatesByName(
    LayerNorm,
    () => ({ inputs: { x: random([3, 8]), gamma: random([8], 2), beta: random([8], 3) }, attrs: { epsilon: 1e-6 } }),
    ({ x, gamma, beta }) => layerNorm(x!, gamma!, beta!),
  );
});
