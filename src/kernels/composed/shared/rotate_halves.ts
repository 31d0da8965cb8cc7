import { add, concat, mul, reshape, split, sub, type Tensor } from '@tensorflow/tfjs-core';

/** x [B, H, T, D] · cos + rotateHalf(x) · sin with angles [1 or B, T, D], or, transposed, its gradient. */
export function rotateHalves(x: Tensor, cos: Tensor, sin: Tensor, transposed: boolean): Tensor {
  const [cos1, cos2] = halves(forEachHead(cos));
  const [sin1, sin2] = halves(forEachHead(sin));
  const [x1, x2] = halves(x);
  return transposed
    ? concat([add(mul(x1, cos1), mul(x2, sin2)), sub(mul(x2, cos2), mul(x1, sin1))], -1)
    : concat([sub(mul(x1, cos1), mul(x2, sin1)), add(mul(x2, cos2), mul(x1, sin2))], -1);
}

/** Both halves of the last dimension. */
function halves(x: Tensor): [Tensor, Tensor] {
  const [first, second] = split(x, 2, -1);
  return [first!, second!];
}

/** [N, T, D] → [N, 1, T, D] */
const forEachHead = (x: Tensor) => reshape(x, [x.shape[0]!, 1, ...x.shape.slice(1)]);
