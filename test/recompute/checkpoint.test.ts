import { expect } from 'chai';
import { deviceBackendOf } from '../../src/backend/tfjs_webgpu_backend.js';
import { checkpoint, fusedLinearCrossEntropy, linear, rmsNorm, swiglu } from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { backendName, tf } from '../support/backend.js';
import { expectClose, expectError, expectNoLeak } from '../support/golden.js';

describe('checkpoint', () => {
  const hidden = 6;
  let variables: tf.Variable[];
  let x: tf.Tensor;
  beforeEach(() => {
    variables = [1, 2, 3, 4].map((seed) => tf.variable(random([hidden, hidden], seed)));
    x = random([5, hidden], 9);
  });
  afterEach(() => tf.dispose([variables, x] as tf.TensorContainer));

  /** A block of this library's and of tfjs's ops, with a residual connection. */
  const block = (h: tf.Tensor, w1: tf.Tensor, w2: tf.Tensor) =>
    tf.add(h, linear(swiglu(linear(rmsNorm(h), w1), h), w2));

  /** The loss and all gradients of two blocks. */
  const train = (run: (f: (h: tf.Tensor) => tf.Tensor, h: tf.Tensor) => tf.Tensor): tf.Tensor[] =>
    tf.tidy(() => {
      const { value, grads } = tf.variableGrads(() => {
        const first = run((h) => block(h, variables[0]!, variables[1]!), x);
        const second = run((h) => block(h, variables[2]!, variables[3]!), first);
        return tf.sum(tf.square(second)) as tf.Scalar;
      }, variables);
      return [value, ...variables.map(({ name }) => grads[name]!)];
    });

  const expectSame = async (actual: tf.Tensor[], expected: tf.Tensor[]) => {
    expect(actual.length).to.equal(expected.length);
    for (const [i, tensor] of actual.entries()) await expectClose(tensor, expected[i]!, 0, `number ${i}`);
  };

  it('gives the losses and gradients of the same without it, bit for bit', async () => {
    await expectNoLeak(async () => {
      const expected = train((f, h) => f(h));
      const actual = train((f, h) => checkpoint(f, h));
      const nested = train((f, h) => checkpoint((outer) => checkpoint(f, outer), h));
      await expectSame(actual, expected);
      await expectSame(nested, expected);
      tf.dispose([expected, actual, nested]);
    });
  });

  it('reaches inputs, of which some come twice, and several outputs', async () => {
    await expectNoLeak(async () => {
      const [a, b] = [random([4, 3], 1), random([4, 3], 2)];
      const f = (p: tf.Tensor, q: tf.Tensor) => ({ sum: tf.add(p, q), rest: [tf.mul(p, q)] });
      const run = (call: (p: tf.Tensor, q: tf.Tensor) => ReturnType<typeof f>) =>
        tf.tidy(() => {
          const total = (p: tf.Tensor, q: tf.Tensor) => {
            const { sum, rest } = call(p, q);
            const { sum: again } = call(p, p);
            return tf.sum(tf.add(tf.square(sum), tf.mul(rest[0]!, again)));
          };
          return tf.grads((p, q) => total(p!, q!))([a, b]);
        });
      const [actual, expected] = [run((p, q) => checkpoint(f, p, q)), run(f)];
      for (const [i, gradient] of actual.entries()) await expectClose(gradient, expected[i]!, 1e-6);
      tf.dispose([a, b, actual, expected]);
    });
  });

  it('leaves out gradients that nobody asks for, and those that do not exist', async () => {
    await expectNoLeak(async () => {
      const [weight, other] = variables as [tf.Variable, tf.Variable];
      const f = (h: tf.Tensor) => tf.matMul(tf.add(h, tf.mul(0, tf.cast(tf.argMax(other, 0), 'float32'))), weight);
      const { value, grads } = tf.variableGrads(() => tf.sum(checkpoint(f, x)) as tf.Scalar, [weight]);
      expect(Object.keys(grads)).to.deep.equal([weight.name]);
      const columnSums = tf.tidy(() => tf.tile(tf.expandDims(tf.sum(x, 0), 1), [1, hidden]));
      await expectClose(grads[weight.name]!, columnSums, 1e-6);
      tf.dispose([value, grads, columnSums] as tf.TensorContainer);
    });
  });

  it('draws the same random numbers both times, and others in the next call', async () => {
    await expectNoLeak(async () => {
      const kept: tf.Tensor[] = [];
      const f = (h: tf.Tensor) => {
        const y = tf.dropout(h, 0.5);
        kept.push(tf.keep(tf.clone(y)));
        return tf.mul(y, y);
      };
      const ones = tf.ones([8, 32]);
      const gradient = tf.grad((h: tf.Tensor) => checkpoint(f, h))(ones);
      const next = tf.grad((h: tf.Tensor) => checkpoint(f, h))(ones);
      const [first, again, other] = await Promise.all(kept.map((y) => y.array()));
      expect(again).to.deep.equal(first);
      expect(other).not.to.deep.equal(first);
      // dy²/dx = 2 · y · 2, where a value is kept as its double.
      await expectClose(
        gradient,
        tf.util.flatten(first as number[][]).map((y) => 4 * (y as number)),
        1e-6,
      );
      tf.dispose([ones, gradient, next, kept]);
    });
  });

  it('runs where nothing is recorded, and disposes what is in between', async () => {
    await expectNoLeak(async () => {
      const y = checkpoint((h) => block(h, variables[0]!, variables[1]!), x);
      const expected = tf.tidy(() => block(x, variables[0]!, variables[1]!));
      await expectClose(y, expected, 0);
      tf.dispose([y, expected]);
    });
  });

  it('stands between ops that compute gradients ahead', async () => {
    await expectNoLeak(async () => {
      const labels = tf.tensor1d([0, 1, 2, 3, 4], 'int32');
      const run = (call: (f: (h: tf.Tensor) => tf.Tensor) => tf.Tensor) =>
        tf.tidy(() => {
          const { value, grads } = tf.variableGrads(
            () =>
              fusedLinearCrossEntropy(
                call((h) => linear(h, variables[0]!)),
                variables[1]!,
                labels,
              ) as tf.Scalar,
            variables.slice(0, 2),
          );
          return [value, ...Object.values(grads)];
        });
      const [actual, expected] = [run((f) => checkpoint(f, x)), run((f) => f(x))];
      await expectSame(actual, expected);
      tf.dispose([labels, actual, expected]);
    });
  });

  if (backendName.startsWith('webgpu')) {
    it('keeps the inputs of blocks alone', async () => {
      const meter = deviceBackendOf(tf.backend()).meterMemory();
      const [tokens, layers] = [256, 8];
      const input = random([tokens, hidden], 5);
      const peakOf = async (run: (f: (h: tf.Tensor) => tf.Tensor, h: tf.Tensor) => tf.Tensor) => {
        await input.data();
        meter.resetPeak();
        const before = meter.peak;
        const { value, grads } = tf.variableGrads(() => {
          let h = input;
          for (let i = 0; i < layers; i++) {
            h = run((inner) => {
              let y = inner;
              for (let j = 0; j < 6; j++) y = block(y, variables[0]!, variables[1]!);
              return y;
            }, h);
          }
          return tf.sum(h) as tf.Scalar;
        });
        await value.data();
        tf.dispose([value, grads] as tf.TensorContainer);
        return meter.peak - before;
      };
      await peakOf((f, h) => f(h));
      const [plain, checkpointed] = [await peakOf((f, h) => f(h)), await peakOf((f, h) => checkpoint(f, h))];
      expect(checkpointed).to.be.below(plain / 3);
      input.dispose();
    });
  }

  it('names what is wrong, and works afterwards', async () => {
    await expectNoLeak(async () => {
      expectError(() => checkpoint('f' as never, x), /^checkpoint: fn must be a function, but got 'f'$/);
      expectError(
        () => checkpoint((h) => h, [1] as never),
        /^checkpoint: input 0 must be a tensor, but got an array of 1$/,
      );
      const fails = () => {
        throw new Error('of its own');
      };
      expectError(() => tf.grad((h: tf.Tensor) => checkpoint(fails as never, h))(x), /^of its own$/);
      const captured = () =>
        tf.grad((h: tf.Tensor) => {
          const inner = tf.square(h);
          const y = checkpoint((p) => tf.mul(p, inner), h);
          inner.dispose();
          return y;
        })(x);
      expectError(
        captured,
        /^checkpoint: a tensor of shape \[5,6\] that fn uses was disposed before the backward pass; pass it as an input$/,
      );
      const gradient = tf.grad((h: tf.Tensor) => checkpoint((p) => tf.square(p), h))(x);
      const expected = tf.mul(x, 2);
      await expectClose(gradient, expected, 1e-6);
      tf.dispose([gradient, expected]);
    });
  });
});
