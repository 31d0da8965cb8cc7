import * as tf from '@tensorflow/tfjs';

/** The sum of a tensor's squares; only one number for each row leaves the device. */
async function squaredNorm(tensor: tf.Tensor): Promise<number> {
  const rows = tf.tidy(() => {
    const columns = tensor.shape.at(-1) ?? 1;
    const matrix = tf.reshape(tf.cast(tensor, 'float32'), [-1, columns]);
    return tf.sum(tf.square(matrix), -1);
  });
  const values = (await rows.data()) as Float32Array;
  rows.dispose();
  return values.reduce((total, value) => total + value, 0);
}

/** The largest ‖a − b‖ / ‖b‖ of a list of results; NaN where either has one. */
export async function relativeError(actual: tf.Tensor[], expected: tf.Tensor[]): Promise<number> {
  if (actual.length !== expected.length) throw new Error(`${actual.length} results for ${expected.length}`);
  let largest = 0;
  for (const [i, b] of expected.entries()) {
    const a = actual[i]!;
    if (!tf.util.arraysEqual(a.shape, b.shape)) throw new Error(`result ${i}: [${a.shape}] for [${b.shape}]`);
    const difference = tf.sub(a, b);
    const error = await squaredNorm(difference);
    difference.dispose();
    const relative = error === 0 ? 0 : Math.sqrt(error / (await squaredNorm(b)));
    largest = Number.isNaN(relative) ? relative : Math.max(largest, relative); // Math.max keeps an earlier NaN
  }
  return largest;
}
