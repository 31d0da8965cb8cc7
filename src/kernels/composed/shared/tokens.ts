import { reshape, sum, type Tensor, util, zeros } from '@tensorflow/tfjs-core';

/** A tensor of tokens, whatever their leading dimensions, as [tokens, ...shape]. */
export function asTokens(x: Tensor, ...shape: number[]): Tensor {
  return reshape(x, [x.size / util.sizeFromShape(shape), ...shape]);
}

/** The sums of rows, or of columns, of matrices: [tokens, rows, columns] → [tokens, rows, 1] or [tokens, 1, columns]. */
export function sumsOf(along: 'rows' | 'columns', x: Tensor): Tensor {
  const [tokens, rows, columns] = x.shape as [number, number, number];
  // Some backends can't add up the columns of nothing.
  if (tokens === 0) return zeros(along === 'rows' ? [0, rows, 1] : [0, 1, columns]);
  return sum(x, along === 'rows' ? 2 : 1, true);
}
