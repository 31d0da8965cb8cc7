import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';
import { stockAttention } from './shared/stock_attention.js';

const KERNEL_SIZE = 7;

/** 0 where a query sees a key, and a low number elsewhere, [T, T]. */
function maskOf(length: number): tf.Tensor {
  return tf.tidy(() => {
    const place = tf.range(0, length);
    const distance = tf.abs(tf.sub(tf.reshape(place, [length, 1]), place));
    return tf.mul(tf.cast(tf.greater(distance, Math.floor(KERNEL_SIZE / 2)), 'float32'), -1e9);
  });
}

export function fusedNeighborhoodAttention(quick: boolean): BenchCase[] {
  const [batch, heads, length, width] = quick ? [1, 2, 40, 16] : [8, 12, 1024, 64];
  const shape = [batch, heads, length, width];
  const inputs = () => ({
    ...{ q: noise(shape, 1), k: noise(shape, 3), v: noise(shape, 5) },
    ...{ dy: noise(shape, 7), mask: maskOf(length) },
  });
  return [
    {
      op: 'fusedNeighborhoodAttention',
      shape: `[${shape.join(', ')}], ${KERNEL_SIZE} keys`,
      timed: 'forward and backward',
      // Reads q, k and v, and writes y; then reads all four and dy, and writes three gradients.
      bytes: 12 * batch * heads * length * width * 4,
      ours: forwardAndBackward(inputs, ['q', 'k', 'v'], ({ q, k, v }) =>
        liger.fusedNeighborhoodAttention(q, k, v, { kernelSize: KERNEL_SIZE }),
      ),
      stock: forwardAndBackward(inputs, ['q', 'k', 'v'], ({ q, k, v, mask }) => stockAttention(q, k, v, mask)),
    },
  ];
}
