import * as tf from '@tensorflow/tfjs';

/** Gradients scaled so that their global norm is at most `limit`, as one writes it with tfjs's own ops. */
export function clipByGlobalNorm(gradients: tf.NamedTensorMap, limit: number): tf.NamedTensorMap {
  const squares = Object.values(gradients).map((gradient) => tf.sum(tf.square(gradient)));
  // Not tf.addN, which on WebGPU binds every tensor at once, more than a device allows.
  const norm = tf.sqrt(tf.sum(tf.stack(squares)));
  const factor = tf.minimum(1, tf.div(limit, tf.add(norm, 1e-6)));
  return Object.fromEntries(Object.entries(gradients).map(([name, gradient]) => [name, tf.mul(gradient, factor)]));
}
