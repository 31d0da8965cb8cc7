import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import type { BenchCase } from '../harness/bench_case.js';
import { activation } from './shared/activation.js';

const stock = (x: tf.Tensor) => tf.mul(x, tf.sigmoid(x));

export const silu = (quick: boolean): BenchCase[] => [activation('silu', (x) => liger.silu(x), stock, quick)];
