import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import type { BenchCase } from '../harness/bench_case.js';
import { activation } from './shared/activation.js';

const stock = (x: tf.Tensor) => tf.square(tf.relu(x));

export const reluSquared = (quick: boolean): BenchCase[] => [
  activation('reluSquared', (x) => liger.reluSquared(x), stock, quick),
];
