import { add, type KernelFunc, mul, reshape, rsqrt, square, sub, sum, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { RmsNormAttrs, RmsNormGradAttrs } from '../kernel_names.js';
import { sumOverRows } from './rows.js';

export const rmsNorm: KernelFunc = ({ inputs, attrs }) => {
  const { x, gamma } = inputs as { x: Tensor; gamma?: Tensor };
  const { epsilon, offset } = attrs as unknown as RmsNormAttrs;
  return tidy(() => {
    const hidden = x.shape[x.rank - 1]!;
    const rstd = rsqrt(add(mul(sum(square(x), -1, true), 1 / hidden), epsilon));
    const normalized = mul(x, rstd);
    const y = gamma ? mul(normalized, add(gamma, offset)) : normalized;
    return [y, reshape(rstd, x.shape.slice(0, -1))];
  });
};

export const rmsNormGrad: KernelFunc = ({ inputs, attrs }) => {
  const { dy, x, gamma, rstd } = inputs as { dy: Tensor; x: Tensor; gamma?: Tensor; rstd: Tensor };
  const { offset } = attrs as unknown as RmsNormGradAttrs;
  return tidy(() => {
    const hidden = x.shape[x.rank - 1]!;
    const r = reshape(rstd, [...rstd.shape, 1]);
    const normalized = mul(x, r);
    const w = gamma ? mul(dy, add(gamma, offset)) : dy;
    const projection = mul(sum(mul(w, normalized), -1, true), 1 / hidden);
    const dx = mul(r, sub(w, mul(normalized, projection)));
    return gamma ? [dx, sumOverRows(mul(dy, normalized))] : [dx];
  });
};
