import { expect } from 'chai';
import { linear, mhcCoeffs, mhcForward, mhcPostRes, mhcPre } from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { expectClose, expectError, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';

type Arguments = [x: tf.Tensor, phi: tf.Tensor, b: tf.Tensor, pre: tf.Tensor, post: tf.Tensor, res: tf.Tensor];

const [streams, columns] = [3, 5];
const inputs = (): Arguments => [
  random([2, 4, streams, columns]),
  random([streams * columns, 15], 2),
  random([15], 3),
  tf.scalar(0.5),
  tf.scalar(0.7),
  tf.scalar(0.9),
];
const config = { tmax: 4, preEpsilon: 0.1, postMult: 1.5 };

describe('mhcForward', () => {
  it('is its three ops around the layer, and has their gradients, those of the layer too', async () => {
    await expectNoLeak(async () => {
      const weight = tf.tidy(() => tf.variable(random([columns, columns], 7)));
      const layer = (x: tf.Tensor) => linear(x, weight);
      const given = inputs();
      const dy = random(given[0].shape, 8);
      const both = (run: (...tensors: Arguments) => tf.Tensor) => {
        const { value, grads } = tf.engine().gradients(() => run(...given), [...given, weight], dy);
        return [value, ...grads];
      };
      const actual = both((x, ...others) => mhcForward(x, layer, ...others, config));
      const expected = both((x, ...others) => {
        const { hPre, hPost, hRes } = mhcCoeffs(x, ...others, config);
        return mhcPostRes(x, layer(mhcPre(x, hPre)), hPost, hRes);
      });
      for (const [i, tensor] of actual.entries()) {
        await expectClose(tensor, expected[i]!, i === 0 ? OUTPUT_TOLERANCE : GRADIENT_TOLERANCE, `number ${i}`);
      }
      tf.dispose([given, dy, weight, actual, expected] as tf.TensorContainer);
    });
  });

  it('returns the coefficients where they are asked for', async () => {
    await expectNoLeak(async () => {
      const [x, ...others] = inputs();
      const { y, ...coefficients } = mhcForward(x, (t) => t, ...others, { ...config, returnCoeffs: true });
      const expected = mhcCoeffs(x, ...others, config);
      for (const name of ['hPre', 'hPost', 'hRes'] as const)
        await expectClose(coefficients[name], expected[name], OUTPUT_TOLERANCE, name);
      const alone = mhcForward(x, (t) => t, ...others, config);
      await expectClose(y, alone, OUTPUT_TOLERANCE, 'y');
      tf.dispose([x, ...others, y, coefficients, expected, alone] as tf.TensorContainer);
    });
  });

  it('takes arrays and no tokens', async () => {
    await expectNoLeak(async () => {
      // hPre is ½, hPost 1 and hRes 1.
      const y = mhcForward([[4, 8]], (t) => tf.square(t), [Array(3).fill(0), Array(3).fill(0)], [0, 0, 0], 1, 1, 1, {
        sinkhornEpsilon: 0,
      });
      await expectClose(y, [8, 24], OUTPUT_TOLERANCE);
      const none = tf.tidy(() => {
        const [, ...others] = inputs();
        return mhcForward(tf.zeros([0, streams, columns]), (t) => t, ...others);
      });
      expect(none.shape).to.deep.equal([0, streams, columns]);
      tf.dispose([y, none]);
    });
  });

  it('refuses what is no layer, and what a layer must not return', () => {
    const [x, ...others] = inputs();
    const run = (layer: unknown) => mhcForward(x, layer as () => tf.Tensor, ...others);
    expectError(() => run(undefined), /^mhcForward: layer must be a function, but got undefined$/);
    expectError(() => run(x), /^mhcForward: layer must be a function, but got a float32 tensor of shape \[2,4,3,5\]$/);
    const says = (got: string) =>
      new RegExp(`^mhcForward: what layer returns must be a float32 tensor of shape \\[2,4,5\\], but got ${got}$`);
    expectError(() => run(() => undefined), says('undefined'));
    expectError(() => run((t: tf.Tensor) => tf.sum(t, -1)), says('a float32 tensor of shape \\[2,4\\]'));
    expectError(() => run((t: tf.Tensor) => tf.cast(t, 'int32')), says('an int32 tensor of shape \\[2,4,5\\]'));
    expectError(() => run((t: tf.Tensor) => Promise.resolve(t)), says('an object'));
    tf.dispose([x, ...others]);
  });

  it('refuses a phi of other sizes than x asks for', () => {
    const [x, phi, ...others] = inputs();
    const call = () => tf.tidy(() => mhcForward(x, (t) => t, tf.zeros([10, 15]), ...others));
    expectError(
      call,
      /^mhcForward: phi must be of shape \[HC·C, HC²\+2HC\] = \[15,15\] \(as x says\), but got .* \[10,15\]$/,
    );
    tf.dispose([x, phi, ...others]);
  });
});
