import type { Tensor } from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { oddSize, random, smallOddSize } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { expectClose, expectNoLeak, GRADIENT_TOLERANCE } from '../support/golden.js';
import { runsOf, triesLayers } from '../support/passes.js';
import { withAndWithout } from './patched.js';

/** A layer's output and gradient, of rows of some size. */
async function outputAndGradient(
  layerOf: () => InstanceType<typeof tf.layers.Layer>,
  [rows, columns]: [number, number],
) {
  const layer = layerOf();
  const x = random([rows, columns], 3);
  const slope = random([rows, columns], 5);
  const of = (x: Tensor) => tf.mul(layer.apply(x) as Tensor, slope);
  const { y, dx } = tf.tidy(() => ({ y: layer.apply(x) as Tensor, dx: tf.grad(of)(x) }));
  const result = { y: await y.data(), dx: await dx.data() };
  tf.dispose([x, slope, y, dx]);
  layer.dispose();
  return result;
}

if (triesLayers) {
  describe('activations of layers, patched', () => {
    for (const activation of ['gelu', 'gelu_new', 'swish', 'softmax', 'logSoftmax']) {
      it(`${activation}: the same output and gradient for any size`, async () => {
        await fc.assert(
          fc.asyncProperty(smallOddSize, oddSize, async (rows, columns) => {
            await expectNoLeak(async () => {
              const layer = () => tf.layers.activation({ activation: activation as 'softmax' });
              const { patched, expected } = await withAndWithout(() => outputAndGradient(layer, [rows, columns]));
              await expectClose(patched.y, expected.y, GRADIENT_TOLERANCE);
              await expectClose(patched.dx, expected.dx, GRADIENT_TOLERANCE);
            });
          }),
          { numRuns: runsOf(6) },
        );
      });
    }

    it('x.logSoftmax(), too', async () => {
      const of = async () => {
        const { y, z } = tf.tidy(() => ({ y: random([3, 5], 1).logSoftmax(), z: random([3, 5], 1).logSoftmax(1) }));
        const result = [...(await y.data()), ...(await z.data())];
        tf.dispose([y, z]);
        return result;
      };
      const { patched, expected } = await withAndWithout(of);
      await expectClose(patched, expected, GRADIENT_TOLERANCE);
      expect(patched).to.have.length(30);
    });
  });
}
