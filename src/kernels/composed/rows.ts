import { sum, type Tensor } from '@tensorflow/tfjs-core';

/** The sum over all dimensions but the last: [..., C] → [C]. */
export function sumOverRows(x: Tensor): Tensor {
  return sum(x, [...Array(x.rank - 1).keys()]);
}
