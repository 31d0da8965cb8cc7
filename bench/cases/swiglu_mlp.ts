import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';

function stock(x: tf.Tensor, gateWeight: tf.Tensor, upWeight: tf.Tensor, downWeight: tf.Tensor): tf.Tensor {
  const gate = tf.matMul(x, gateWeight, false, true);
  const up = tf.matMul(x, upWeight, false, true);
  return tf.matMul(tf.mul(tf.mul(gate, tf.sigmoid(gate)), up), downWeight, false, true);
}

export function swigluMlp(quick: boolean): BenchCase[] {
  const [rows, hidden, intermediate] = quick ? [64, 32, 96] : [4096, 1024, 2816];
  const inputs = () => ({
    x: noise([rows, hidden], 1),
    gateWeight: noise([intermediate, hidden], 3, 0.02),
    upWeight: noise([intermediate, hidden], 5, 0.02),
    downWeight: noise([hidden, intermediate], 7, 0.02),
    dy: noise([rows, hidden], 9),
  });
  return [
    {
      op: 'swigluMlp',
      shape: `${rows}×${hidden}×${intermediate}`,
      timed: 'forward and backward',
      operations: 18 * rows * hidden * intermediate,
      ours: forwardAndBackward(
        inputs,
        ['x', 'gateWeight', 'upWeight', 'downWeight'],
        ({ x, gateWeight, upWeight, downWeight }) => liger.swigluMlp(x, gateWeight, upWeight, downWeight),
      ),
      stock: forwardAndBackward(
        inputs,
        ['x', 'gateWeight', 'upWeight', 'downWeight'],
        ({ x, gateWeight, upWeight, downWeight }) => stock(x, gateWeight, upWeight, downWeight),
      ),
    },
  ];
}
