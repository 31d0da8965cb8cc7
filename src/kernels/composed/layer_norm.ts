import { add, mul, reshape, rsqrt, square, sub } from '@tensorflow/tfjs-core';
import { LayerNorm, LayerNormGrad } from '../contracts/layer_norm.js';
import { composedKernel } from './shared/composed_kernel.js';
import { meanOfRows, sumOverRows } from './shared/rows.js';

export const layerNorm = composedKernel(LayerNorm, ({ x, gamma, beta }, { epsilon }) => {
  const estimate = meanOfRows(x);
  const nearlyCentred = sub(x, estimate);
  // Some backends add one by one, which loses digits where the mean is large; the sum of what remains loses none.
  const remainder = meanOfRows(nearlyCentred);
  const mean = add(estimate, remainder);
  const centred = sub(nearlyCentred, remainder);
  const rstd = rsqrt(add(meanOfRows(square(centred)), epsilon));
  const y = add(mul(mul(centred, rstd), gamma), beta);
  const leading = x.shape.slice(0, -1);
  return { y, mean: reshape(mean, leading), rstd: reshape(rstd, leading) };
});

export const layerNormGrad = composedKernel(LayerNormGrad, ({ dy, x, gamma, mean, rstd }) => {
  const r = reshape(rstd, [...rstd.shape, 1]);
  const normalized = mul(sub(x, reshape(mean, r.shape)), r);
  const w = mul(dy, gamma);
  const projection = mul(normalized, meanOfRows(mul(w, normalized)));
  const dx = mul(r, sub(sub(w, meanOfRows(w)), projection));
  return { dx, dgamma: sumOverRows(mul(dy, normalized)), dbeta: sumOverRows(dy) };
});
