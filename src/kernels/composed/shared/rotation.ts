import { add, concat, mul, reshape, slice, split, stack, sub, type Tensor, unstack } from '@tensorflow/tfjs-core';
import type { HeadLayout } from '../../contracts/shared/rotation_shape.js';

/** How rows are rotated. */
export interface Rotation {
  readonly layout: HeadLayout;
  /** Applies the transposed rotation: the gradient. */
  readonly transposed: boolean;
}

/**
 * Heads of size D whose first R are x · cos + rotateHalf(x) · sin, with angles [1 or B, T, R] or [T, R], or, transposed, its
 * gradient. The rest passes.
 */
export function rotateHalves(x: Tensor, cos: Tensor, sin: Tensor, rotation: Rotation): Tensor {
  const half = cos.shape.at(-1)! / 2;
  const rest = x.shape.at(-1)! - 2 * half;
  const [x1, x2, ...passed] = split(x, rest > 0 ? [half, half, rest] : 2, -1);
  const halvesOf = (angles: Tensor) => split(forEachHead(angles, rotation), 2, -1);
  return concat([...rotatePairs([x1!, x2!], halvesOf(cos), halvesOf(sin), rotation), ...passed], -1);
}

/** Heads whose pairs (x[2i], x[2i + 1]) are rotated by cos[i] and sin[i], of angles [T, D / 2]. */
export function rotateInterleaved(x: Tensor, cos: Tensor, sin: Tensor, rotation: Rotation): Tensor {
  const [x1, x2] = unstack(reshape(x, [-1, 2]), 1).map((part) =>
    reshape(part, [...x.shape.slice(0, -1), cos.shape.at(-1)!]),
  );
  const both = (angles: Tensor) => [forEachHead(angles, rotation), forEachHead(angles, rotation)];
  return reshape(stack(rotatePairs([x1!, x2!], both(cos), both(sin), rotation), -1), x.shape);
}

/**
 * Angles [3, B, T, D] of three kinds of places as [B, T, D]: in each half of a row `sections` says how many are those of the
 * first kind, of the second and of the third.
 */
export function anglesBySection(angles: Tensor, sections: readonly number[]): Tensor {
  const [, batches, length, size] = angles.shape as [number, number, number, number];
  const parts: Tensor[] = [];
  let first = 0;
  for (const [kind, count] of [...sections, ...sections].entries()) {
    if (count > 0) parts.push(slice(angles, [kind % 3, 0, 0, first], [1, batches, length, count]));
    first += count;
  }
  return reshape(concat(parts, -1), [batches, length, size]);
}

/** (x1, x2) · cos + (−x2, x1) · sin, the pairs of all rows at once. */
function rotatePairs(
  [x1, x2]: [Tensor, Tensor],
  [cos1, cos2]: Tensor[],
  [sin1, sin2]: Tensor[],
  { transposed }: Rotation,
): [Tensor, Tensor] {
  return transposed
    ? [add(mul(x1, cos1!), mul(x2, sin2!)), sub(mul(x2, cos2!), mul(x1, sin1!))]
    : [sub(mul(x1, cos1!), mul(x2, sin1!)), add(mul(x2, cos2!), mul(x1, sin2!))];
}

/** Angles as they multiply the heads of a layout: the same for each. */
function forEachHead(angles: Tensor, { layout }: Rotation): Tensor {
  const [length, size] = angles.shape.slice(-2) as [number, number];
  const shapes = { bhtd: [-1, 1, length, size], bthd: [-1, length, 1, size], thd: [length, 1, size] };
  return reshape(angles, shapes[layout]);
}
