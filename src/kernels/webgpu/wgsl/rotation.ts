/**
 * WGSL of a rotated pair, of `x1`, `x2` and the cosines and sines of both: y1 = x1 · cos1 − x2 · sin1 and
 * y2 = x2 · cos2 + x1 · sin2; transposed, dx1 = dy1 · cos1 + dy2 · sin2 and dx2 = dy2 · cos2 − dy1 · sin1.
 */
export const rotatedPair = (transposed: boolean): readonly [first: string, second: string] =>
  transposed ? ['x1 * cos1 + x2 * sin2', 'x2 * cos2 - x1 * sin1'] : ['x1 * cos1 - x2 * sin1', 'x2 * cos2 + x1 * sin2'];
