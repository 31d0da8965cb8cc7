import * as tf from '@tensorflow/tfjs';

export function stockCrossEntropy(logits: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  const oneHot = tf.oneHot(labels, logits.shape.at(-1)!, 1, 0, 'float32');
  return tf.losses.softmaxCrossEntropy(oneHot, logits);
}
