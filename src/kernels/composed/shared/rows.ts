import { mul, pad, reshape, sum, type Tensor, where, zeros, zerosLike } from '@tensorflow/tfjs-core';

/** C of [..., C]. */
export const columnsOf = (x: Tensor): number => x.shape[x.rank - 1]!;

/** [..., C] → [rows, C]. */
export function flatten(x: Tensor): Tensor {
  const columns = columnsOf(x);
  return reshape(x, [x.size / columns, columns]);
}

/** The mean over the last dimension: [..., C] → [..., 1]. */
export function meanOfRows(x: Tensor): Tensor {
  return mul(sum(x, -1, true), 1 / columnsOf(x));
}

/** The sum over all dimensions but the last: [..., C] → [C]. */
export function sumOverRows(x: Tensor): Tensor {
  // Some backends leave the sum of nothing unwritten.
  if (x.size === 0) return zeros(x.shape.slice(-1));
  return sum(x, [...Array(x.rank - 1).keys()]);
}

/** Terms that are added one after another before rounding errors add up. */
const BLOCK = 256;

/** The sum of each row, [rows, C] → [rows, 1], in blocks where rows are long: some backends add them one by one. */
export function sumOfRow(x: Tensor): Tensor {
  const [rows, length] = x.shape as [number, number];
  if (length <= 4 * BLOCK) return sum(x, 1, true);
  const blocks = Math.ceil(length / BLOCK);
  const padded = pad(x, [
    [0, 0],
    [0, blocks * BLOCK - length],
  ]);
  return sum(sum(reshape(padded, [rows, blocks, BLOCK]), 2), 1, true);
}

/** `values` where `condition` holds, and 0 elsewhere: they may be infinite there, so a product would not do. */
export const only = (condition: Tensor, values: Tensor): Tensor => where(condition, values, zerosLike(values));
