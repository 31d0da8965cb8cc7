import { add, type KernelFunc, mul, reshape, rsqrt, square, sub, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { RmsNormAttrs, RmsNormGradAttrs } from '../kernel_names.js';
import { meanOfRows, sumOverRows } from './rows.js';

export const rmsNorm: KernelFunc = ({ inputs, attrs }) => {
  const { x, gamma } = inputs as { x: Tensor; gamma?: Tensor };
  const { epsilon, offset } = attrs as unknown as RmsNormAttrs;
  return tidy(() => {
    const rstd = rsqrt(add(meanOfRows(square(x)), epsilon));
    const normalized = mul(x, rstd);
    const y = gamma ? mul(normalized, add(gamma, offset)) : normalized;
    return [y, reshape(rstd, x.shape.slice(0, -1))];
  });
};

export const rmsNormGrad: KernelFunc = ({ inputs, attrs }) => {
  const { dy, x, gamma, rstd } = inputs as { dy: Tensor; x: Tensor; gamma?: Tensor; rstd: Tensor };
  const { offset } = attrs as unknown as RmsNormGradAttrs;
  return tidy(() => {
    const r = reshape(rstd, [...rstd.shape, 1]);
    const normalized = mul(x, r);
    const w = gamma ? mul(dy, add(gamma, offset)) : dy;
    const projection = meanOfRows(mul(w, normalized));
    const dx = mul(r, sub(w, mul(normalized, projection)));
    return gamma ? [dx, sumOverRows(mul(dy, normalized))] : [dx];
  });
};
