import { expect } from 'chai';
import fc from 'fast-check';
import { linear } from '../../src/index.js';
import {
  type Activation,
  ActivationGrad,
  BiasGrad,
  Linear,
  LinearGradWeight,
  LinearGradX,
} from '../../src/kernels/contracts/linear.js';
import { describeAgainstComposed, oddSize, random, smallOddSize } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { expectClose, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';

const NONLINEAR = ['relu', 'gelu', 'geluTanh', 'silu'] as const;
const ACTIVATIONS: Activation[] = ['none', ...NONLINEAR];
const activation = fc.constantFrom(...ACTIVATIONS);
const size = fc.constantFrom(1, 3, 4, 16, 17, 33, 64, 100, 131);

/** The layer in float64: what every backend is held to. */
function reference(x: number[][], weight: number[][], bias: number[], activation: Activation): number[] {
  const erf = (z: number) => {
    // Its Maclaurin series, which float64 sums exactly enough for |z| < 5.
    let term = z;
    let sum = z;
    for (let n = 1; n < 120; n++) {
      term *= (-z * z) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  };
  const activate: Record<Activation, (z: number) => number> = {
    none: (z) => z,
    relu: (z) => Math.max(z, 0),
    gelu: (z) => 0.5 * z * (1 + erf(z / Math.SQRT2)),
    geluTanh: (z) => 0.5 * z * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z ** 3))),
    silu: (z) => z / (1 + Math.exp(-z)),
  };
  return x.flatMap((row) =>
    weight.map((w, o) => activate[activation](w.reduce((sum, value, i) => sum + value * row[i]!, 0) + bias[o]!)),
  );
}

describe('linear', () => {
  const inputs = (rows: number, inFeatures: number, outFeatures: number) => ({
    x: random([rows, inFeatures]),
    weight: random([outFeatures, inFeatures], 2),
    bias: random([outFeatures], 3),
  });

  describeAgainstComposed(Linear, [size, size, size, activation], (rows, inFeatures, outFeatures, activation) => ({
    inputs: inputs(rows, inFeatures, outFeatures),
    attrs: { activation, transposeWeight: false, keepZ: true },
  }));
  describeAgainstComposed(Linear, [size, size, size, activation], (rows, inFeatures, outFeatures, activation) => ({
    inputs: { x: random([rows, inFeatures]), weight: random([inFeatures, outFeatures], 2) },
    attrs: { activation, transposeWeight: true },
  }));
  describeAgainstComposed(
    LinearGradX,
    [size, size, size, fc.boolean()],
    (rows, inFeatures, outFeatures, transposeWeight) => ({
      inputs: {
        dz: random([rows, outFeatures]),
        weight: random(transposeWeight ? [inFeatures, outFeatures] : [outFeatures, inFeatures], 2),
      },
      attrs: { transposeWeight },
    }),
  );
  describeAgainstComposed(
    LinearGradWeight,
    [size, size, size, fc.boolean()],
    (rows, inFeatures, outFeatures, transposeWeight) => ({
      inputs: { dz: random([rows, outFeatures]), x: random([rows, inFeatures], 2) },
      attrs: { transposeWeight },
    }),
  );
  describeAgainstComposed(BiasGrad, [oddSize, smallOddSize], (rows, columns) => ({
    inputs: { dz: random([rows, columns]) },
    attrs: {},
  }));
  for (const activation of NONLINEAR) {
    describeAgainstComposed(ActivationGrad, [oddSize], (length) => ({
      inputs: { dy: random([length]), z: tf.mul(random([length], 2), 6) },
      attrs: { activation },
    }));
  }

  for (const activation of ACTIVATIONS) {
    it(`is exact with activation ${activation}`, async () => {
      await expectNoLeak(async () => {
        const x = random([5, 7]) as tf.Tensor2D;
        const weight = random([6, 7], 2) as tf.Tensor2D;
        const bias = random([6], 3) as tf.Tensor1D;
        const expected = reference(await x.array(), await weight.array(), await bias.array(), activation);
        const y = linear(x, weight, { bias, activation });
        await expectClose(y, expected, OUTPUT_TOLERANCE, 'y');
        const flipped = tf.transpose(weight);
        const other = linear(x, flipped, { bias, activation, transposeWeight: true });
        await expectClose(other, expected, OUTPUT_TOLERANCE, 'y of the transposed weight');
        tf.dispose([x, weight, bias, y, flipped, other]);
      });
    });

    it(`has the gradient of activation ${activation}`, async () => {
      await expectNoLeak(async () => {
        const [x, weight, bias, dy] = [random([2, 3, 5]), random([4, 5], 2), random([4], 3), random([2, 3, 4], 4)];
        const gradients = tf.grads((x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) =>
          tf.sum(tf.mul(linear(x, weight, { bias, activation }), dy!)),
        )([x!, weight!, bias!]);
        const byName = tf.grads((x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) => {
          const attrs = { activation, transposeWeight: false };
          const [y] = tf.engine().runKernel(Linear.name, { x, weight, bias }, attrs) as unknown as tf.Tensor[];
          return tf.sum(tf.mul(y!, dy!));
        })([x!, weight!, bias!]);
        // Central differences of the float64 layer along each gradient's own direction.
        const rows = tf.reshape(x!, [6, 5]) as tf.Tensor2D;
        const [xs, ws, bs, ds] = await Promise.all([
          rows.array(),
          (weight as tf.Tensor2D).array(),
          (bias as tf.Tensor1D).array(),
          dy!.data(),
        ]);
        const at = (x: number[][], w: number[][], b: number[]) =>
          reference(x, w, b, activation).reduce((sum, y, i) => sum + y * ds[i]!, 0);
        const h = 1e-5;
        const dbias = bs.map((_, o) => {
          const moved = (step: number) => bs.map((b, i) => (i === o ? b + step : b));
          return (at(xs, ws, moved(h)) - at(xs, ws, moved(-h))) / (2 * h);
        });
        await expectClose(gradients[2]!, dbias, GRADIENT_TOLERANCE, 'dbias');
        for (const [i, gradient] of gradients.entries()) await expectClose(byName[i]!, gradient, GRADIENT_TOLERANCE);
        tf.dispose([x!, weight!, bias!, dy!, rows, gradients, byName]);
      });
    });
  }

  it('takes a vector and no rows', async () => {
    await expectNoLeak(async () => {
      const vector = linear(
        [1, 2],
        [
          [3, 4],
          [5, 6],
          [7, 8],
        ],
      );
      await expectClose(vector, [11, 17, 23], 0);
      const none = tf.tidy(() => linear(tf.zeros([0, 2]), tf.ones([3, 2])));
      expect(none.shape).to.deep.equal([0, 3]);
      tf.dispose([vector, none]);
    });
  });

  it('repeats bit for bit where the sum is split', async () => {
    await expectNoLeak(async () => {
      const [x, dz] = [random([3000, 20]), random([3000, 12], 2)];
      const run = () => tf.grad((w: tf.Tensor) => tf.sum(tf.mul(linear(x!, w), dz!)))(tf.ones([12, 20]));
      const [a, b] = [tf.tidy(run), tf.tidy(run)];
      await expectClose(a!, b!, 0);
      const expected = tf.matMul(dz as tf.Tensor2D, x as tf.Tensor2D, true);
      await expectClose(a!, expected, GRADIENT_TOLERANCE);
      tf.dispose([x!, dz!, a!, b!, expected]);
    });
  });
});
