/** Activations and their slopes against float64, element by element: where the result is tiny, its digits count as well. */
import { expect } from 'chai';
import { runKernel } from '../../src/engine/run_kernel.js';
import { geglu, gelu, linear, silu, swiglu } from '../../src/index.js';
import { ActivationGrad } from '../../src/kernels/contracts/linear.js';
import { tf } from '../support/backend.js';
import { expectNoLeak } from '../support/golden.js';

const POINTS = Float32Array.from({ length: 401 }, (_, i) => -10 + i / 20);

/** erfc(z) for z >= 0, to float64: its series up to 2, its continued fraction above. */
function erfc(z: number): number {
  if (z < 2) {
    let [term, sum] = [z, z];
    for (let n = 1; n < 60; n++) {
      term *= (-z * z) / n;
      sum += term / (2 * n + 1);
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 200; n > 0; n--) fraction = n / 2 / (z + fraction);
  return Math.exp(-z * z) / (Math.sqrt(Math.PI) * (z + fraction));
}

const normalCdf = (z: number) => (z < 0 ? erfc(-z / Math.SQRT2) / 2 : 1 - erfc(z / Math.SQRT2) / 2);
const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
const C = 2 * Math.sqrt(2 / Math.PI);

/** Each function, its slope, and the terms of the slope that may cancel each other. */
const references: Record<string, { value(z: number): number; slope(z: number): [number, number] }> = {
  gelu: {
    value: (z) => z * normalCdf(z),
    slope: (z) => [normalCdf(z), (z * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI)],
  },
  geluTanh: {
    value: (z) => z * sigmoid(C * (z + 0.044715 * z ** 3)),
    slope: (z) => {
      const u = C * (z + 0.044715 * z ** 3);
      return [sigmoid(u), z * sigmoid(u) * sigmoid(-u) * C * (1 + 3 * 0.044715 * z * z)];
    },
  },
  silu: {
    value: (z) => z * sigmoid(z),
    slope: (z) => [sigmoid(z), z * sigmoid(z) * sigmoid(-z)],
  },
};

/**
 * The largest error of an element in units of what float32 can do: the rounding of the terms, and that of an exponential's
 * argument, which counts as often as the argument is large.
 */
function worst(
  actual: ArrayLike<number>,
  expected: (z: number) => [number, ...number[]],
): { z: number; error: number } {
  let found = { z: 0, error: 0 };
  for (const [i, z] of POINTS.entries()) {
    const terms = expected(z);
    const sum = terms.reduce((total, term) => total + term, 0);
    const size = terms.reduce((total, term) => total + Math.abs(term), 0);
    if (size < 1e-36) continue; // numbers so small are not the same on every GPU
    const error = Math.abs(actual[i]! - sum) / size / (1 + z * z + Math.abs(z) ** 3 / 14);
    if (!(error <= found.error)) found = { z, error };
  }
  return found;
}

describe('activations', () => {
  const points = () => tf.tensor1d(POINTS);
  const isExact = async (result: tf.Tensor, expected: (z: number) => [number, ...number[]]) => {
    const { z, error } = worst(await result.data(), expected);
    expect(error, `at ${z}`).to.be.below(1e-6);
    result.dispose();
  };

  for (const [name, { value, slope }] of Object.entries(references)) {
    const activation = name as 'gelu' | 'geluTanh' | 'silu';

    it(`${name} is exact from -10 to 10, and so is its slope`, async () => {
      await expectNoLeak(async () => {
        const column = tf.tidy(() => tf.reshape(points(), [-1, 1]));
        await isExact(linear(column, [[1]], { activation }), (z) => [value(z)]);
        const [z, dy] = [points(), tf.ones([POINTS.length])];
        await isExact(runKernel(ActivationGrad, { dy, z }, { activation }).dz, slope);
        tf.dispose([column, z, dy]);
      });
    });
  }

  for (const [name, op] of Object.entries<(x: tf.Tensor) => tf.Tensor>({
    gelu,
    geluTanh: (x) => gelu(x, { approximate: 'tanh' }),
    silu,
  })) {
    const reference = references[name]!;

    it(`the op of ${name} is exact from -10 to 10, and so is its gradient`, async () => {
      await expectNoLeak(async () => {
        const [x, dy] = [points(), tf.ones([POINTS.length])];
        const { value, grad } = tf.valueAndGrad(op)(x, dy);
        await isExact(value, (z) => [reference.value(z)]);
        await isExact(grad, reference.slope);
        tf.dispose([x, dy]);
      });
    });
  }

  for (const [unit, reference] of [
    [geglu, references.geluTanh!],
    [swiglu, references.silu!],
  ] as const) {
    it(`${unit.name} is exact from -10 to 10, and so are its gradients`, async () => {
      await expectNoLeak(async () => {
        const [gate, up] = [points(), tf.ones([POINTS.length])];
        await isExact(unit(gate, up), (z) => [reference.value(z)]);
        const [dgate, dup] = tf.grads((gate: tf.Tensor, up: tf.Tensor) => unit(gate, up))([gate, up], up);
        await isExact(dgate!, reference.slope);
        await isExact(dup!, (z) => [reference.value(z)]);
        tf.dispose([gate, up]);
      });
    });
  }
});
