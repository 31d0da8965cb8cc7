import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, onInputs } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';
import { rotaryTables } from './shared/rotary_tables.js';

/** x · cos + rotateHalf(x) · sin, of the first dimensions of x, as many as cos has. */
function stock(x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor) {
  const half = cos.shape.at(-1)! / 2;
  const rest = x.shape.at(-1)! - 2 * half;
  const [first, second, ...passed] = tf.split(x, rest > 0 ? [half, half, rest] : 2, -1) as [tf.Tensor, tf.Tensor];
  const turned = tf.concat([first, second], -1);
  return tf.concat([tf.add(tf.mul(turned, cos), tf.mul(tf.concat([tf.neg(second), first], -1), sin)), ...passed], -1);
}

function ropeCase(shape: number[], rotaryDim: number, target?: number): BenchCase {
  const [batch, heads, length, width] = shape as [number, number, number, number];
  const inputs = () => ({ q: noise(shape, 1), k: noise(shape, 3), ...rotaryTables(length, rotaryDim) });
  return {
    op: 'rope',
    shape: `q, k [${shape.join(', ')}]${rotaryDim < width ? `, rotaryDim ${rotaryDim}` : ''}`,
    timed: 'forward',
    target,
    bytes: 4 * batch * heads * length * width * 4,
    ours: onInputs(inputs, ({ q, k, cos, sin }) => {
      const rotated = liger.rope(q, k, cos, sin, { rotaryDim });
      return [rotated.q, rotated.k];
    }),
    stock: onInputs(inputs, ({ q, k, cos, sin }) => [stock(q, cos, sin), stock(k, cos, sin)]),
  };
}

export function rope(quick: boolean): BenchCase[] {
  const shape = quick ? [1, 2, 32, 16] : [8, 12, 1024, 64];
  return [ropeCase(shape, shape[3]!, quick ? undefined : 0.027), ropeCase(shape, shape[3]! / 2)];
}
