import * as tf from '@tensorflow/tfjs';

/** nll + entropy of each row of logits / temperature, from log-probabilities that exist as a whole. */
export function stockScaledCrossEntropy(logits: tf.Tensor, labels: tf.Tensor, temperature: number): tf.Tensor {
  const logP = tf.logSoftmax(tf.div(logits, temperature) as tf.Tensor2D);
  const nll = tf.neg(tf.sum(tf.mul(tf.oneHot(labels, logits.shape[1]!), logP), -1));
  return tf.sub(nll, tf.sum(tf.mul(tf.exp(logP), logP), -1));
}
