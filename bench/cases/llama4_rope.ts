import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, onInputs } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';
import { rotaryAngles } from './shared/rotary.js';

/** The numbers x[2i] + i · x[2i + 1] of x [B, T, H, D], times cos + i · sin. */
function stock(x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor) {
  const [length, half] = cos.shape as [number, number];
  const [real, imag] = tf.unstack(tf.reshape(x, [...x.shape.slice(0, -1), half, 2]), -1) as [tf.Tensor, tf.Tensor];
  const [c, s] = [cos, sin].map((table) => tf.reshape(table, [1, length, 1, half])) as [tf.Tensor, tf.Tensor];
  const rotated = [tf.sub(tf.mul(real, c), tf.mul(imag, s)), tf.add(tf.mul(real, s), tf.mul(imag, c))];
  return tf.reshape(tf.stack(rotated, -1), x.shape);
}

export function llama4Rope(quick: boolean): BenchCase[] {
  const [batch, length, queryHeads, keyHeads, width] = quick ? [1, 32, 2, 1, 16] : [2, 1024, 40, 8, 128];
  const shapeOf = (heads: number) => [batch, length, heads, width];
  const inputs = () => {
    const angle = rotaryAngles(length, width);
    return { q: noise(shapeOf(queryHeads), 1), k: noise(shapeOf(keyHeads), 3), cos: tf.cos(angle), sin: tf.sin(angle) };
  };
  return [
    {
      op: 'llama4Rope',
      shape: `q [${shapeOf(queryHeads).join(', ')}], k [${shapeOf(keyHeads).join(', ')}]`,
      timed: 'forward',
      bytes: 2 * (queryHeads + keyHeads) * batch * length * width * 4,
      ours: onInputs(inputs, ({ q, k, cos, sin }) => {
        const rotated = liger.llama4Rope(q, k, cos, sin);
        return [rotated.q, rotated.k];
      }),
      stock: onInputs(inputs, ({ q, k, cos, sin }) => [stock(q, cos, sin), stock(k, cos, sin)]),
    },
  ];
}
