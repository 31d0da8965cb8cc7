/** Parts of language models as one writes them with tfjs's own ops alone, for comparison. */
import * as tf from '@tensorflow/tfjs';

/** tf.gather, except on backends (wasm) that lack the kernel of its gradient. */
export function embedding(table: tf.Tensor, indices: tf.Tensor2D): tf.Tensor3D {
  if (tf.getKernel('UnsortedSegmentSum', tf.getBackend())) return tf.gather(table, indices) as tf.Tensor3D;
  const [vocabulary, hidden] = table.shape as [number, number];
  const rows = tf.matMul(tf.oneHot(tf.reshape(indices, [-1]), vocabulary).toFloat(), table);
  return tf.reshape(rows, [...indices.shape, hidden]);
}

/** x · weight for the layout [I, O], x · weightᵀ for [O, I]. tf.matMul's gradient wants both to be matrices. */
export function linear(x: tf.Tensor3D, weight: tf.Tensor, layout: 'IO' | 'OI'): tf.Tensor3D {
  const [batch, length, inputs] = x.shape;
  const outputs = weight.shape[layout === 'IO' ? 1 : 0]!;
  const y = tf.matMul(tf.reshape(x, [batch * length, inputs]), weight, false, layout === 'OI');
  return tf.reshape(y, [batch, length, outputs]);
}

/** q, k, v [B, H, T, D]; causal. */
export function attention(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor): tf.Tensor4D {
  const [, , length, size] = q.shape as [number, number, number, number];
  const mask = tf.mul(-1e9, tf.sub(1, tf.linalg.bandPart(tf.ones([length, length]), -1, 0)));
  const scores = tf.div(tf.matMul(q, k, false, true), Math.sqrt(size));
  return tf.matMul(tf.softmax(tf.add(scores, mask)), v) as tf.Tensor4D;
}

/** [B, T, H · D] to [B, H, T, D]. */
export function splitHeads(x: tf.Tensor, heads: number): tf.Tensor4D {
  const [batch, length, hidden] = x.shape as [number, number, number];
  return tf.transpose(tf.reshape(x, [batch, length, heads, hidden / heads]), [0, 2, 1, 3]) as tf.Tensor4D;
}

/** [B, H, T, D] to [B, T, H · D]. */
export function mergeHeads(x: tf.Tensor4D): tf.Tensor3D {
  const [batch, heads, length, size] = x.shape;
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch, length, heads * size]);
}

/** The mean over the labels that are not −100. */
export function crossEntropy(logits: tf.Tensor3D, labels: tf.Tensor2D): tf.Scalar {
  const vocabulary = logits.shape[2];
  const counts = tf.cast(tf.greaterEqual(labels, 0), 'float32');
  const reduction = tf.Reduction.SUM_BY_NONZERO_WEIGHTS;
  return tf.losses.softmaxCrossEntropy(tf.oneHot(labels, vocabulary), logits, counts, 0, reduction) as tf.Scalar;
}
