import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import type { BenchCase } from '../harness/bench_case.js';
import { gatedLinearUnit } from './shared/gated_linear_unit.js';

function stock(gate: tf.Tensor, up: tf.Tensor): tf.Tensor {
  const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(gate, tf.mul(0.044715, tf.mul(tf.square(gate), gate))));
  return tf.mul(tf.mul(tf.mul(0.5, gate), tf.add(1, tf.tanh(inner))), up);
}

export const geglu = (quick: boolean): BenchCase[] => [
  gatedLinearUnit('geglu', (gate, up) => liger.geglu(gate, up), stock, quick),
];
