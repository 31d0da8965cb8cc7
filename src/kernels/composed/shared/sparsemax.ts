import {
  cast,
  cumsum,
  div,
  greater,
  mul,
  range,
  sub,
  sum,
  type Tensor,
  topk,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { columnsOf } from './rows.js';

/**
 * The threshold of sparsemax for each row of `x`, [..., C] → [..., 1], where Σ max(x − threshold, 0) = 1. The largest entry of a
 * row must be 0, and none −∞.
 *
 * Martins and Astudillo (2016), algorithm 1: with entries in falling order, the support is the longest beginning of k entries of
 * which 1 + k · x[k] > Σ x[1 … k], and the threshold is (Σ x[1 … k] − 1) / k.
 */
export function sparsemaxThreshold(x: Tensor): Tensor {
  const columns = columnsOf(x);
  const { values: falling } = topk(x, columns);
  const isSupport = greater(mul(range(1, columns + 1), falling), sub(cumsum(falling, x.rank - 1), 1));
  const total = sum(where(isSupport, falling, zerosLike(falling)), -1, true);
  return div(sub(total, 1), sum(cast(isSupport, 'float32'), -1, true));
}
