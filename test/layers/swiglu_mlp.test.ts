import { expect } from 'chai';
import { swigluMlp as op } from '../../src/index.js';
import { swigluMlp } from '../../src/layers/index.js';
import { tf } from '../support/backend.js';
import { describeLayer } from './describe_layer.js';

describeLayer({
  name: 'swigluMlp',
  make: (args) =>
    swigluMlp({ intermediateSize: 6, gateMultiplier: 2, downMultiplier: 0.5, kernelRegularizer: 'l1', ...args }),
  inputShape: [3, 4],
  weights: { gate: [6, 4], up: [6, 4], down: [4, 6] },
  reference: (x, [gate, up, down]) => op(x, gate!, up!, down!, { gateMultiplier: 2, downMultiplier: 0.5 }),
});

describe('layers.swigluMlp', () => {
  it('initializes its weights as the kernels of Keras, [in, out]', () => {
    const shapes: unknown[] = [];
    const ones = tf.initializers.ones();
    ones.apply = (shape) => {
      shapes.push(shape);
      return tf.ones(shape as number[]);
    };
    const layer = swigluMlp({ intermediateSize: 6, kernelInitializer: ones });
    layer.apply(tf.input({ shape: [4] }));
    expect(shapes).to.deep.equal([
      [4, 6],
      [4, 6],
      [6, 4],
    ]);
    layer.dispose();
  });
});
