import * as tf from '@tensorflow/tfjs';

/** softmax(q · kᵀ / √D + mask) · v, of stock ops. */
export function stockAttention(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, mask?: tf.Tensor): tf.Tensor {
  const scores = tf.mul(tf.matMul(q, k, false, true), q.shape.at(-1)! ** -0.5);
  return tf.matMul(tf.softmax(mask ? tf.add(scores, mask) : scores), v);
}
