import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import type { BenchCase } from '../harness/bench_case.js';
import { gatedLinearUnit } from './shared/gated_linear_unit.js';

const stock = (gate: tf.Tensor, up: tf.Tensor) => tf.mul(tf.mul(gate, tf.sigmoid(gate)), up);

export const swiglu = (quick: boolean): BenchCase[] => [
  gatedLinearUnit('swiglu', (gate, up) => liger.swiglu(gate, up), stock, quick),
];
