import type { Tensor, Variable } from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { random, smallOddSize } from '../support/against_composed.js';
import { target, tf } from '../support/backend.js';
import { expectClose, expectNoLeak, GRADIENT_TOLERANCE } from '../support/golden.js';
import { runsOf, triesLayers } from '../support/passes.js';
import { withAndWithout } from './patched.js';

type Layer = InstanceType<typeof tf.layers.Layer>;

/** A layer's output and the gradients of its weights, none of which is as it is at first. */
async function outputAndGradients(layer: Layer, inputs: () => Tensor): Promise<number[][]> {
  const results = tf.tidy(() => {
    const x = inputs();
    layer.apply(x);
    layer.setWeights(layer.getWeights().map((weight, i) => random(weight.shape, i + 2)));
    const variables = layer.trainableWeights.map((weight) => weight.read() as Variable);
    const y = layer.apply(x) as Tensor;
    const slope = random(y.shape, 7);
    const { grads } = tf.variableGrads(() => tf.sum(tf.mul(layer.apply(x) as Tensor, slope)), variables);
    return [y, ...variables.map(({ name }) => grads[name]!)];
  });
  const numbers = await Promise.all(results.map(async (tensor) => Array.from(await tensor.data())));
  tf.dispose(results);
  layer.dispose();
  return numbers;
}

function itIsTheSame(
  what: string,
  shapes: fc.Arbitrary<number[]>,
  make: () => Layer,
  inputs = random as typeof random,
): void {
  it(what, async () => {
    await fc.assert(
      fc.asyncProperty(shapes, async (shape) => {
        await expectNoLeak(async () => {
          const { patched, expected } = await withAndWithout(() => outputAndGradients(make(), () => inputs(shape, 1)));
          for (const [i, numbers] of expected.entries()) {
            await expectClose(patched[i]!, numbers, GRADIENT_TOLERANCE, i === 0 ? 'output' : `gradient ${i}`);
          }
        });
      }),
      { numRuns: runsOf(4) },
    );
  });
}

const shapes = fc.oneof(
  fc.tuple(smallOddSize, smallOddSize),
  fc.tuple(fc.constant(2), smallOddSize, smallOddSize),
  fc.tuple(fc.constant(2), fc.constant(3), fc.constant(2), smallOddSize),
);

if (triesLayers) {
  describe('layers, patched, give the same numbers', () => {
    itIsTheSame('layerNormalization along the last axis', shapes, () =>
      tf.layers.layerNormalization({ epsilon: 0.01 }),
    );

    itIsTheSame('layerNormalization along others', fc.constantFrom([3, 4, 5]), () =>
      tf.layers.layerNormalization({ axis: [1, 2] }),
    );

    for (const activation of ['linear', 'relu', 'gelu', 'gelu_new', 'swish', 'tanh', 'softmax']) {
      itIsTheSame(`dense with ${activation}`, shapes, () =>
        tf.layers.dense({ units: 5, activation: activation as 'relu', useBias: activation !== 'tanh' }),
      );
    }

    // Which tfjs can't differentiate on wasm.
    if (target !== 'wasm') {
      const indices = (shape: number[]) => tf.randomUniform(shape, 0, 4, 'int32', 3) as Tensor;
      itIsTheSame(
        'embedding',
        fc.constantFrom([3], [2, 5], [2, 3, 4]),
        () => tf.layers.embedding({ inputDim: 4, outputDim: 3 }),
        (shape) => tf.cast(indices(shape), 'float32'),
      );
    }
  });
}
