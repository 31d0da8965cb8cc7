import * as tf from '@tensorflow/tfjs';
import { createRandom } from '../../examples/support/random.js';

function uniformVector(length: number, seed: number): tf.Tensor1D {
  return tf.tensor1d(Float32Array.from({ length }, createRandom(seed)));
}

/**
 * A float tensor that looks like noise of mean 0 and variance `scale`², made on the device from one number for each row and
 * one for each column: tf.randomNormal would spend seconds in JavaScript on a large one.
 */
export function noise(shape: number[], seed: number, scale = 1): tf.Tensor {
  return tf.tidy(() => {
    const columns = shape.at(-1)!;
    const rows = tf.util.sizeFromShape(shape) / columns;
    const row = tf.mul(tf.reshape(uniformVector(rows, seed), [rows, 1]), 97);
    const column = tf.mul(uniformVector(columns, seed + 1), 89);
    // The fraction of a large multiple of a sine is what makes the matrix of full rank.
    const large = tf.mul(tf.sin(tf.add(row, column)), 4375.85);
    const uniform = tf.sub(large, tf.floor(large));
    return tf.reshape(tf.mul(tf.sub(uniform, 0.5), Math.sqrt(12) * scale), shape);
  });
}

/** A scale as a trained model has: around 1. */
export function scales(length: number, seed: number): tf.Tensor1D {
  return tf.tidy(() => tf.add(noise([length], seed, 0.1), 1) as tf.Tensor1D);
}

/** Class numbers below `limit`. */
export function indices(shape: number[], limit: number, seed: number): tf.Tensor {
  const random = createRandom(seed);
  const values = Int32Array.from({ length: tf.util.sizeFromShape(shape) }, () => Math.floor(random() * limit));
  return tf.tensor(values, shape, 'int32');
}
