import { clone, mul, type Tensor } from '@tensorflow/tfjs-core';
import { residentValues } from './resident_values.js';

/** gradient · dy; usually dy is the 1 that a tape begins with, and costs nothing. */
export function scaleGradient(gradient: Tensor, dy: Tensor): Tensor {
  return residentValues(dy)?.[0] === 1 ? clone(gradient) : mul(gradient, dy);
}
