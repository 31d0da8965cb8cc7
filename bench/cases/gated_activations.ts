import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, onInputs, valueAndGradients } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';

type Gated = (gate: tf.Tensor, up: tf.Tensor) => tf.Tensor;

const stockSwiglu: Gated = (gate, up) => tf.mul(tf.mul(gate, tf.sigmoid(gate)), up);

const stockGeglu: Gated = (gate, up) => {
  const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(gate, tf.mul(0.044715, tf.mul(tf.square(gate), gate))));
  return tf.mul(tf.mul(tf.mul(0.5, gate), tf.add(1, tf.tanh(inner))), up);
};

function gated(op: string, ours: Gated, stock: Gated, quick: boolean): BenchCase {
  const [rows, columns] = quick ? [64, 256] : [4096, 11008];
  const shape = [rows, columns];
  const inputs = () => ({ gate: noise(shape, 1), up: noise(shape, 3), dy: noise(shape, 5) });
  const both = (run: Gated) =>
    onInputs(inputs, ({ gate, up, dy }) => valueAndGradients(() => run(gate, up), [gate, up], dy));
  return {
    op,
    shape: shape.join('×'),
    timed: 'forward and backward',
    target: quick ? undefined : 0.55,
    // Forward reads two and writes one, backward reads three and writes two.
    bytes: 8 * rows * columns * 4,
    ours: both(ours),
    stock: both(stock),
  };
}

export const swiglu = (quick: boolean): BenchCase[] => [
  gated('swiglu', (gate, up) => liger.swiglu(gate, up), stockSwiglu, quick),
];

export const geglu = (quick: boolean): BenchCase[] => [
  gated('geglu', (gate, up) => liger.geglu(gate, up), stockGeglu, quick),
];
