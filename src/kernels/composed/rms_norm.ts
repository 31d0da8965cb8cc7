import { add, mul, reshape, rsqrt, square, sub } from '@tensorflow/tfjs-core';
import { RmsNorm, RmsNormGrad } from '../contracts/rms_norm.js';
import { composedKernel } from './shared/composed_kernel.js';
import { meanOfRows, sumOverRows } from './shared/rows.js';

export const rmsNorm = composedKernel(RmsNorm, ({ x, gamma }, { epsilon, offset }) => {
  const rstd = rsqrt(add(meanOfRows(square(x)), epsilon));
  const normalized = mul(x, rstd);
  const y = gamma ? mul(normalized, add(gamma, offset)) : normalized;
  return { y, rstd: reshape(rstd, x.shape.slice(0, -1)) };
});

export const rmsNormGrad = composedKernel(RmsNormGrad, ({ dy, x, gamma, rstd }, { offset, dgamma }) => {
  const r = reshape(rstd, [...rstd.shape, 1]);
  const normalized = mul(x, r);
  const w = gamma ? mul(dy, add(gamma, offset)) : dy;
  const projection = meanOfRows(mul(w, normalized));
  const dx = mul(r, sub(w, mul(normalized, projection)));
  return { dx, dgamma: dgamma ? sumOverRows(mul(dy, normalized)) : undefined };
});
