import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, onInputs } from '../harness/bench_case.js';
import { noise, scales } from '../harness/inputs.js';

/** Calls in one, since a single one is shorter than the clock's tick. */
const CALLS = 100;
const SIZE = 64;

/**
 * What an op of one dispatch costs in JavaScript: its tensors are so small that the device has next to nothing to do, and on the
 * backend `webgpu-null` nothing.
 */
export function dispatches(): BenchCase[] {
  const inputs = () => ({ a: noise([SIZE, SIZE], 1), b: noise([SIZE, SIZE], 2), gamma: scales(SIZE, 3) });
  type Inputs = ReturnType<typeof inputs>;
  const ops: Record<string, (inputs: Inputs) => tf.Tensor> = {
    'tf.add': ({ a, b }) => tf.add(a, b),
    'tf.relu': ({ a }) => tf.relu(a),
    'tf.concat': ({ a, b }) => tf.concat([a, b]),
    'liger.softmax': ({ a }) => liger.softmax(a),
    'liger.rmsNorm': ({ a, gamma }) => liger.rmsNorm(a, gamma),
    'liger.linear': ({ a, b }) => liger.linear(a, b),
  };
  return Object.entries(ops).map(([name, op]) => ({
    op: 'dispatches',
    shape: `${CALLS} × ${name}`,
    timed: 'forward',
    ours: onInputs(inputs, (tensors) => {
      for (let i = 0; i < CALLS; i++) op(tensors).dispose();
      return [];
    }),
  }));
}
