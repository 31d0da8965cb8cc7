import { add, concat, type KernelFunc, mul, reshape, split, sub, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { RopeAttrs } from '../kernel_names.js';

export const rope: KernelFunc = ({ inputs, attrs }) => {
  const { q, k, cos, sin } = inputs as { q: Tensor; k: Tensor; cos: Tensor; sin: Tensor };
  const { transposed } = attrs as unknown as RopeAttrs;
  return tidy(() => {
    const [cos1, cos2] = split(forEachHead(cos), 2, -1) as [Tensor, Tensor];
    const [sin1, sin2] = split(forEachHead(sin), 2, -1) as [Tensor, Tensor];
    const rotate = (x: Tensor) => {
      const [x1, x2] = split(x, 2, -1) as [Tensor, Tensor];
      return transposed
        ? concat([add(mul(x1, cos1), mul(x2, sin2)), sub(mul(x2, cos2), mul(x1, sin1))], -1)
        : concat([sub(mul(x1, cos1), mul(x2, sin1)), add(mul(x2, cos2), mul(x1, sin2))], -1);
    };
    return [rotate(q), rotate(k)];
  });
};

/** [N, T, D] → [N, 1, T, D] */
function forEachHead(x: Tensor): Tensor {
  const [n, length, headSize] = x.shape as [number, number, number];
  return reshape(x, [n, 1, length, headSize]);
}
