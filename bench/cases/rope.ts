import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, onInputs } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';

/** x · cos + rotateHalf(x) · sin. */
function stock(x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor) {
  const [first, second] = tf.split(x, 2, -1) as [tf.Tensor, tf.Tensor];
  return tf.add(tf.mul(x, cos), tf.mul(tf.concat([tf.neg(second), first], -1), sin));
}

export function rope(quick: boolean): BenchCase[] {
  const [batch, heads, length, width] = quick ? [1, 2, 32, 16] : [8, 12, 1024, 64];
  const shape = [batch, heads, length, width];
  const inputs = () => {
    const position = tf.reshape(tf.range(0, length), [1, length, 1]);
    const frequency = tf.pow(10000, tf.div(tf.range(0, width / 2), -width / 2));
    const angle = tf.tile(tf.mul(position, frequency), [1, 1, 2]);
    return { q: noise(shape, 1), k: noise(shape, 3), cos: tf.cos(angle), sin: tf.sin(angle) };
  };
  return [
    {
      op: 'rope',
      shape: `q, k [${shape.join(', ')}]`,
      timed: 'forward',
      target: quick ? undefined : 0.027,
      bytes: 4 * batch * heads * length * width * 4,
      ours: onInputs(inputs, ({ q, k, cos, sin }) => {
        const rotated = liger.rope(q as tf.Tensor4D, k as tf.Tensor4D, cos as tf.Tensor3D, sin as tf.Tensor3D);
        return [rotated.q, rotated.k];
      }),
      stock: onInputs(inputs, ({ q, k, cos, sin }) => [stock(q, cos, sin), stock(k, cos, sin)]),
    },
  ];
}
