import { add, mul, reshape, sum, type Tensor, zeros } from '@tensorflow/tfjs-core';
import { ModulatedRmsNorm, ModulatedRmsNormGrad, segmentsOf } from '../contracts/modulated_rms_norm.js';
import { rmsNorm, rmsNormGrad } from './rms_norm.js';
import { composedKernel } from './shared/composed_kernel.js';

/** What scales and shifts each row of x: f(x, modulation), where a segment of rows has one row of `modulation`. */
function onSegments(f: (x: Tensor, modulation: Tensor) => Tensor, x: Tensor, modulation: Tensor): Tensor {
  const [segments, rows, columns] = segmentsOf(x.shape, modulation.shape);
  const y = f(reshape(x, [segments, rows, columns]), reshape(modulation, [segments, 1, columns]));
  return reshape(y, x.shape);
}

const modulate = (x: Tensor, scale: Tensor) => onSegments(mul, x, add(scale, 1));

/** The sum over the rows of each segment, of scale's shape. */
function sumOfSegments(x: Tensor, scale: Tensor): Tensor {
  // Some backends leave the sum of nothing unwritten.
  if (x.size === 0) return zeros(scale.shape);
  return reshape(sum(reshape(x, segmentsOf(x.shape, scale.shape)), 1), scale.shape);
}

export const modulatedRmsNorm = composedKernel(ModulatedRmsNorm, ({ x, gamma, scale, shift }, attrs) => {
  const { y: normalized, rstd } = rmsNorm.run({ x, gamma }, attrs);
  const y = modulate(normalized, scale);
  return { y: shift ? onSegments(add, y, shift) : y, rstd };
});

export const modulatedRmsNormGrad = composedKernel(
  ModulatedRmsNormGrad,
  ({ dy, x, gamma, scale, rstd }, { offset, dgamma, dshift }) => {
    const normalized = mul(x, reshape(rstd, [...rstd.shape, 1]));
    const product = mul(dy, normalized);
    return {
      ...rmsNormGrad.run({ dy: modulate(dy, scale), x, gamma, rstd }, { offset, dgamma }),
      dscale: sumOfSegments(gamma ? mul(product, add(gamma, offset)) : product, scale),
      dshift: dshift ? sumOfSegments(dy, scale) : undefined,
    };
  },
);
