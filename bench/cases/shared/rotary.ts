import * as tf from '@tensorflow/tfjs';

/** The angles of rotary position embedding, [T, width / 2]. */
export function rotaryAngles(length: number, width: number): tf.Tensor {
  const frequency = tf.pow(10000, tf.div(tf.range(0, width / 2), -width / 2));
  return tf.mul(tf.reshape(tf.range(0, length), [length, 1]), frequency);
}

/** Their cosines and sines as the halves of a head need them, [1, T, width]. */
export function rotaryTables(length: number, width: number): { cos: tf.Tensor; sin: tf.Tensor } {
  const angle = tf.expandDims(tf.tile(rotaryAngles(length, width), [1, 2]), 0);
  return { cos: tf.cos(angle), sin: tf.sin(angle) };
}

/** x · cos + rotateHalf(x) · sin in stock ops, of the first dimensions of x, as many as cos has. */
export function stockRope(x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor): tf.Tensor {
  const half = cos.shape.at(-1)! / 2;
  const rest = x.shape.at(-1)! - 2 * half;
  const [first, second, ...passed] = tf.split(x, rest > 0 ? [half, half, rest] : 2, -1) as [tf.Tensor, tf.Tensor];
  const turned = tf.concat([first, second], -1);
  return tf.concat([tf.add(tf.mul(turned, cos), tf.mul(tf.concat([tf.neg(second), first], -1), sin)), ...passed], -1);
}
