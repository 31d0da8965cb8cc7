import { tf } from './backend.js';

/** Indices [...outer, depth] into the first dimensions of a shape, some of them twice. */
export interface Places {
  indices: tf.Tensor;
  /** Which slice each of them is, in the order of the tensor's elements. */
  places: number[];
  /** The size of a slice. */
  inner: number;
}

/** @param unique Whether no place comes twice; there must be enough of them. */
export function placesOf(shape: number[], outer: number[], depth: number, unique = false): Places {
  const count = tf.util.sizeFromShape(outer);
  const slices = tf.util.sizeFromShape(shape.slice(0, depth));
  const places = Array.from({ length: count }, (_, i) => (unique ? slices - 1 - i : (i * i * 7 + 3 * i) % slices));
  const digits = places.flatMap((place) => {
    const digit = (axis: number) =>
      Math.floor(place / tf.util.sizeFromShape(shape.slice(axis + 1, depth))) % shape[axis]!;
    return Array.from({ length: depth }, (_, axis) => digit(axis));
  });
  const inner = tf.util.sizeFromShape(shape.slice(depth));
  return { indices: tf.tensor(digits, [...outer, depth], 'int32'), places, inner };
}
