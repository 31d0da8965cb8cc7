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
