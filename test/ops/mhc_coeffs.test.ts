import { expect } from 'chai';
import fc from 'fast-check';
import { runKernel } from '../../src/engine/run_kernel.js';
import { mhcCoeffs } from '../../src/index.js';
import { MhcCoeffs, MhcCoeffsGrad } from '../../src/kernels/contracts/mhc_coeffs.js';
import { coefficientsOf } from '../../src/kernels/contracts/shared/mhc_shape.js';
import { describeAgainstComposed, itDifferentiatesByName, random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import {
  describeGolden,
  expectClose,
  expectError,
  expectNoLeak,
  GRADIENT_TOLERANCE,
  OUTPUT_TOLERANCE,
} from '../support/golden.js';

describeGolden('mhcCoeffs', ({ x, phi, b, alphaPre, alphaPost, alphaRes }, options) => ({
  ...mhcCoeffs(x!, phi!, b!, alphaPre!, alphaPost!, alphaRes!, options),
}));

const inputsOf = (leading: number[], streams: number, columns: number) => {
  const coefficients = coefficientsOf(streams);
  return {
    x: random([...leading, streams, columns]),
    phi: random([streams * columns, coefficients], 2),
    b: random([coefficients], 3),
    alphaPre: tf.scalar(0.5),
    alphaPost: tf.scalar(-0.7),
    alphaRes: tf.scalar(0.9),
  };
};

const options = { tmax: 5, rmsEpsilon: 0.01, preEpsilon: 0.1, sinkhornEpsilon: 1e-3, postMult: 1.5 };

const forwardCall = (tokens: number, streams: number, columns: number) => ({
  inputs: inputsOf([tokens], streams, columns),
  attrs: options,
});

const backwardCall = (tokens: number, streams: number, columns: number) => {
  const { inputs } = forwardCall(tokens, streams, columns);
  const { hPre, hPost, hRes, mix, rstd } = runKernel(MhcCoeffs, inputs, options);
  return {
    inputs: {
      ...{ ...inputs, mix, rstd },
      dhPre: tf.add(random(hPre.shape, 4), 1.5),
      dhPost: tf.add(random(hPost.shape, 5), 1.5),
      dhRes: random(hRes.shape, 6),
    },
    attrs: { ...options, dx: true, dphi: true, dgates: tokens !== 2 },
  };
};

/** A case in float64: the outputs and, with slopes that are the outputs themselves, the sum of their squares. */
function inFloat64(x: number[], phi: number[], b: number[], alphas: number[], streams: number, tmax: number) {
  const epsilon = 1e-6;
  const coefficients = coefficientsOf(streams);
  const rstd = 1 / Math.sqrt(x.reduce((sum, value) => sum + value ** 2, 0) / x.length + epsilon);
  const z = b.map((bias, j) => {
    const mix = x.reduce((sum, value, k) => sum + value * phi[k * coefficients + j]!, 0) * rstd;
    return mix * alphas[j < streams ? 0 : j < 2 * streams ? 1 : 2]! + bias;
  });
  const sigmoid = (value: number) => 1 / (1 + Math.exp(-value));
  const places = [...Array(streams).keys()];
  const added = (values: number[]) => values.reduce((sum, value) => sum + value, 0);
  let m = places.map((i) => {
    const row = places.map((j) => Math.exp(z[2 * streams + i * streams + j]!));
    return row.map((value) => value / added(row) + epsilon);
  });
  const byColumns = () => {
    const sums = places.map((j) => added(m.map((row) => row[j]!)) + epsilon);
    m = m.map((row) => row.map((value, j) => value / sums[j]!));
  };
  byColumns();
  for (let round = 1; round < tmax; round++) {
    m = m.map((row) => row.map((value) => value / (added(row) + epsilon)));
    byColumns();
  }
  const outputs = [
    z.slice(0, streams).map(sigmoid),
    z.slice(streams, 2 * streams).map((value) => 2 * sigmoid(value)),
    m.flat(),
  ];
  return { outputs, squares: added(outputs.flat().map((value) => value ** 2)) };
}

describe('mhcCoeffs', () => {
  const sizes = [
    fc.constantFrom(1, 2, 3, 7, 65),
    fc.constantFrom(1, 2, 3, 4, 8),
    fc.constantFrom(1, 2, 3, 4, 7, 8, 13, 33, 64, 129),
  ] as const;
  describeAgainstComposed(MhcCoeffs, [...sizes], forwardCall, { numRuns: 10 });
  describeAgainstComposed(MhcCoeffsGrad, [...sizes], backwardCall, { numRuns: 10 });

  describe('of many tokens, of long rows, and of sums in parts', () => {
    for (const [tokens, streams, columns] of [
      [300, 4, 12],
      [5, 4, 1030],
      [3, 3, 1001],
    ]) {
      const size = [fc.constant(tokens!), fc.constant(streams!), fc.constant(columns!)] as const;
      describeAgainstComposed(MhcCoeffs, [...size], forwardCall, { numRuns: 1 });
      describeAgainstComposed(MhcCoeffsGrad, [...size], backwardCall, { numRuns: 1 });
    }
  });

  for (const [streams, columns, tmax] of [
    [1, 5, 3],
    [2, 4, 1],
    [3, 3, 20],
    [4, 6, 20],
    [8, 4, 2],
  ] as const) {
    it(`is what float64 gives, and its gradients are the slopes there, for ${streams} streams and ${tmax} rounds`, async () => {
      await expectNoLeak(async () => {
        const { x, phi, b, alphaPre, alphaPost, alphaRes } = inputsOf([], streams, columns);
        const inputs = [x, phi, b, alphaPre, alphaPost, alphaRes] as const;
        const values = await Promise.all(inputs.map(async (tensor) => [...(await tensor.data())]));
        const reference = ([x, phi, b, ...alphas]: number[][]) => inFloat64(x!, phi!, b!, alphas.flat(), streams, tmax);
        const { outputs } = reference(values);
        const results: tf.Tensor[] = [];
        const { value, grads } = tf.valueAndGrads((...tensors: tf.Tensor[]) => {
          const [x, phi, b, pre, post, res] = tensors as [
            tf.Tensor,
            tf.Tensor,
            tf.Tensor,
            tf.Tensor,
            tf.Tensor,
            tf.Tensor,
          ];
          const { hPre, hPost, hRes } = mhcCoeffs(x, phi, b, pre, post, res, { tmax });
          results.push(tf.keep(hPre), tf.keep(hPost), tf.keep(hRes));
          return [hPre, hPost, hRes].map((h) => tf.sum(tf.square(h))).reduce((a, b) => tf.add(a, b));
        })([...inputs]);
        for (const [i, name] of ['hPre', 'hPost', 'hRes'].entries()) {
          await expectClose(await results[i]!.data(), outputs[i]!, OUTPUT_TOLERANCE, name);
        }
        const names = ['x', 'phi', 'b', 'alphaPre', 'alphaPost', 'alphaRes'];
        for (const [i, gradient] of grads.entries()) {
          const slopes = values[i]!.map((value, at) => {
            const moved = (by: number) =>
              reference(
                values.map((list, other) => (other === i ? list.map((x, k) => (k === at ? value + by : x)) : list)),
              ).squares;
            // Of the fourth order: the error is far below float32's.
            const step = 1e-3;
            return (8 * (moved(step) - moved(-step)) - (moved(2 * step) - moved(-2 * step))) / (12 * step);
          });
          // What is 0, or nearly so beside the others, has no digits.
          if (Math.max(...slopes.map(Math.abs)) > 1e-4)
            await expectClose(await gradient.data(), slopes, GRADIENT_TOLERANCE, names[i]);
        }
        tf.dispose([...inputs, ...results, value, ...grads]);
      });
    });
  }

  it('makes rows and columns of hRes that add up to 1, and is b alone where the alphas are 0', async () => {
    await expectNoLeak(async () => {
      const { hPre, hPost, hRes } = tf.tidy(() => {
        const { x, phi, b, alphaRes } = inputsOf([3, 2], 4, 6);
        return mhcCoeffs(x, phi, tf.mul(b, 3), 0, 0, alphaRes, { tmax: 100, sinkhornEpsilon: 0 });
      });
      const expected = tf.tidy(() => {
        const [pre, post] = tf.split(tf.sigmoid(tf.mul(random([24], 3), 3)), [4, 4, 16]);
        return { pre: tf.tile(pre!, [6]), post: tf.mul(tf.tile(post!, [6]), 2) };
      });
      await expectClose(await hPre.data(), await expected.pre.data(), OUTPUT_TOLERANCE);
      await expectClose(await hPost.data(), await expected.post.data(), OUTPUT_TOLERANCE);
      for (const axis of [2, 3]) {
        const sums = tf.sum(hRes, axis);
        await expectClose(await sums.data(), Array(24).fill(1), OUTPUT_TOLERANCE);
        sums.dispose();
      }
      tf.dispose([hPre, hPost, hRes, expected] as tf.TensorContainer);
    });
  });

  it('has no gradient but those that are asked for', () => {
    const kernels: string[] = [];
    tf.tidy(() => {
      const { inputs, attrs } = backwardCall(2, 2, 3);
      for (const wanted of ['dx', 'dphi', 'dgates'] as const) {
        const none = { ...attrs, dx: false, dphi: false, dgates: false };
        const gradients = runKernel(MhcCoeffsGrad, inputs, { ...none, [wanted]: true });
        kernels.push(Object.keys(gradients).join());
      }
    });
    expect(kernels).to.deep.equal(['dx', 'dphi', 'db,dalphaPre,dalphaPost,dalphaRes']);
  });

  it('has the outputs and the gradients of no tokens', async () => {
    await expectNoLeak(async () => {
      const inputs = inputsOf([0], 2, 3);
      const names = Object.keys(inputs) as Array<keyof typeof inputs>;
      const { value, grads } = tf.valueAndGrads((...tensors: tf.Tensor[]) => {
        const [x, phi, b, pre, post, res] = tensors as [
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
        ];
        const { hPre, hPost, hRes } = mhcCoeffs(x, phi, b, pre, post, res);
        expect([hPre.shape, hPost.shape, hRes.shape]).to.deep.equal([
          [0, 2],
          [0, 2],
          [0, 2, 2],
        ]);
        return hRes;
      })(names.map((name) => inputs[name]));
      for (const [i, name] of names.entries()) {
        const { shape, size } = inputs[name];
        expect(grads[i]!.shape, name).to.deep.equal(shape);
        await expectClose(await grads[i]!.data(), Array(size).fill(0), 0, name);
      }
      tf.dispose([inputs, value, grads] as tf.TensorContainer);
    });
  });

  it('refuses a phi or a b of other sizes than x asks for', () => {
    const call = (phi: number[], b: number) =>
      tf.tidy(() => mhcCoeffs(tf.zeros([2, 4, 3]), tf.zeros(phi), tf.zeros([b]), 1, 1, 1));
    const says = (got: string) =>
      new RegExp(
        `^mhcCoeffs: phi must be of shape \\[HC·C, HC²\\+2HC\\] = \\[12,24\\] \\(as x says\\), but got .* \\[${got}\\]$`,
      );
    expectError(() => call([24, 24], 24), says('24,24'));
    expectError(() => call([12, 20], 20), says('12,20'));
    expectError(
      () => call([12, 24], 20),
      /^mhcCoeffs: b must have shape .* = \[24\] \(as phi says\), but got .* \[20\]$/,
    );
  });

  itDifferentiatesByName(
    MhcCoeffs,
    () => ({ inputs: inputsOf([3], 2, 6), attrs: options }),
    ({ x, phi, b, alphaPre, alphaPost, alphaRes }) =>
      mhcCoeffs(x!, phi!, b!, alphaPre!, alphaPost!, alphaRes!, options).hPre,
    // WebGL takes a tensor of one number as a uniform, and later as a texture.
    GRADIENT_TOLERANCE,
  );
});
