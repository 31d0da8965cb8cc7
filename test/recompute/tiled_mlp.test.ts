import { expect } from 'chai';
import { deviceBackendOf } from '../../src/backend/tfjs_webgpu_backend.js';
import { linear, swiglu, tiledMlp } from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { backendName, tf } from '../support/backend.js';
import { expectClose, expectError, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';

describe('tiledMlp', () => {
  const [hidden, inner] = [4, 40];
  let weights: tf.Variable[];
  beforeEach(() => {
    weights = [
      [inner, hidden],
      [inner, hidden],
      [hidden, inner],
    ].map((shape, i) => tf.variable(random(shape, i + 1)));
  });
  afterEach(() => tf.dispose(weights));

  const mlp = (x: tf.Tensor) => {
    const [gate, up, down] = weights as [tf.Variable, tf.Variable, tf.Variable];
    return linear(swiglu(linear(x, gate), linear(x, up)), down);
  };

  /** The result, and gradients in x and the weights. */
  const both = (run: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor): tf.Tensor[] =>
    tf.tidy(() => {
      const dy = random(run(x).shape, 7);
      const { value, grads } = tf.engine().gradients(() => run(x), [x, ...weights], dy);
      return [value, ...grads];
    });

  for (const shards of [1, 2, 3, 7, 50, undefined]) {
    it(`is the function of all tokens, ${shards ?? 'as many as by default'} shards`, async () => {
      await expectNoLeak(async () => {
        const x = random([2, 13, hidden], 5);
        const [actual, expected] = [both((t) => tiledMlp(mlp, t, { shards }), x), both(mlp, x)];
        for (const [i, tensor] of actual.entries()) {
          await expectClose(tensor, expected[i]!, i === 0 ? OUTPUT_TOLERANCE : GRADIENT_TOLERANCE, `number ${i}`);
        }
        tf.dispose([x, actual, expected]);
      });
    });
  }

  it('calls the function with shards of ⌈T / H⌉ parts unless told otherwise, and takes another width', async () => {
    await expectNoLeak(async () => {
      const x = random([9, hidden]);
      const lengths: number[] = [];
      const y = tf.tidy(() =>
        tiledMlp((part) => {
          lengths.push(part.shape[0]!);
          return linear(part, weights[0]!);
        }, x),
      );
      expect(lengths).to.deep.equal([3, 3, 3]);
      expect(y.shape).to.deep.equal([9, inner]);
      tf.dispose([x, y]);
    });
  });

  if (backendName.startsWith('webgpu')) {
    it('needs less memory the more shards there are', async () => {
      const meter = deviceBackendOf(tf.backend()).meterMemory();
      const x = random([512, hidden], 5);
      const peakOf = async (shards: number) => {
        await x.data();
        meter.resetPeak();
        const before = meter.peak;
        const { value, grads } = tf.variableGrads(() => tf.sum(tiledMlp(mlp, x, { shards })) as tf.Scalar);
        await value.data();
        tf.dispose([value, grads] as tf.TensorContainer);
        return meter.peak - before;
      };
      await peakOf(1);
      const [one, four] = [await peakOf(1), await peakOf(4)];
      expect(four).to.be.below(one / 2.5);
      x.dispose();
    });
  }

  it('names what is wrong', () => {
    expectNoLeak(() => {
      const [x, vector] = [tf.zeros([6, hidden]), tf.zeros([6])];
      expectError(() => tiledMlp('f' as never, x), /^tiledMlp: fn must be a function, but got 'f'$/);
      expectError(
        () => tiledMlp(mlp, vector),
        /^tiledMlp: x must be a tensor of shape \[\.\.\., T, H\], but got a float32 tensor of shape \[6\]$/,
      );
      expectError(
        () => tiledMlp(mlp, x, { shards: 0 }),
        /^tiledMlp: option 'shards' must be an integer of at least 1, but got 0$/,
      );
      expectError(
        () => tiledMlp((part) => tf.sum(part), x),
        /^tiledMlp: what fn returns must be a tensor of rank 2, but got a float32 tensor of shape \[\]$/,
      );
      expectError(
        () => tiledMlp((part) => tf.slice(part, 0, 1), x, { shards: 2 }),
        /^tiledMlp: what fn returns must have the tokens that it was given, \[3\], but has shape \[1,4\]$/,
      );
      tf.dispose([x, vector]);
    });
  });
});
