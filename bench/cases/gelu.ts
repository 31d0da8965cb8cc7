import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import type { BenchCase } from '../harness/bench_case.js';
import { activation } from './shared/activation.js';

const stock = (x: tf.Tensor) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));

export const gelu = (quick: boolean): BenchCase[] => [activation('gelu', (x) => liger.gelu(x), stock, quick)];
