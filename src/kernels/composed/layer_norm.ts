import { add, type KernelFunc, mul, reshape, rsqrt, square, sub, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { LayerNormAttrs } from '../kernel_names.js';
import { meanOfRows, sumOverRows } from './rows.js';

export const layerNorm: KernelFunc = ({ inputs, attrs }) => {
  const { x, gamma, beta } = inputs as { x: Tensor; gamma: Tensor; beta: Tensor };
  const { epsilon } = attrs as unknown as LayerNormAttrs;
  return tidy(() => {
    const estimate = meanOfRows(x);
    const nearlyCentred = sub(x, estimate);
    // Some backends add one by one, which loses digits where the mean is large; the sum of what remains loses none.
    const remainder = meanOfRows(nearlyCentred);
    const mean = add(estimate, remainder);
    const centred = sub(nearlyCentred, remainder);
    const rstd = rsqrt(add(meanOfRows(square(centred)), epsilon));
    const y = add(mul(mul(centred, rstd), gamma), beta);
    const leading = x.shape.slice(0, -1);
    return [y, reshape(mean, leading), reshape(rstd, leading)];
  });
};

export const layerNormGrad: KernelFunc = ({ inputs }) => {
  const { dy, x, gamma, mean, rstd } = inputs as { dy: Tensor; x: Tensor; gamma: Tensor; mean: Tensor; rstd: Tensor };
  return tidy(() => {
    const r = reshape(rstd, [...rstd.shape, 1]);
    const normalized = mul(sub(x, reshape(mean, r.shape)), r);
    const w = mul(dy, gamma);
    const projection = mul(normalized, meanOfRows(mul(w, normalized)));
    const dx = mul(r, sub(sub(w, meanOfRows(w)), projection));
    return [dx, sumOverRows(mul(dy, normalized)), sumOverRows(dy)];
  });
};
