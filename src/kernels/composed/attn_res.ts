import { add, concat, div, exp, max, mul, rsqrt, split, square, sub, sum, type Tensor } from '@tensorflow/tfjs-core';
import { AttnRes, AttnResGrad } from '../contracts/attn_res.js';
import { composedKernel } from './shared/composed_kernel.js';
import { columnsOf, meanOfRows, sumOverRows } from './shared/rows.js';

const sumOfBlocks = (x: Tensor, keepDims = false) => sum(x, 0, keepDims);

export const attnRes = composedKernel(AttnRes, ({ v, wQuery, wNorm }, { epsilon }) => {
  const rstd = rsqrt(add(meanOfRows(square(v)), epsilon));
  const scores = mul(sum(mul(v, mul(wQuery, wNorm)), -1, true), rstd);
  const exponentials = exp(sub(scores, max(scores, 0, true)));
  const alpha = div(exponentials, sumOfBlocks(exponentials, true));
  return { y: sumOfBlocks(mul(alpha, v)), stats: concat([alpha, rstd], -1) };
});

export const attnResGrad = composedKernel(AttnResGrad, ({ dy, v, wQuery, wNorm, stats }, { dweights }) => {
  const [alpha, rstd] = split(stats, 2, -1) as [Tensor, Tensor];
  const query = mul(wQuery, wNorm);
  const dalpha = sum(mul(v, dy), -1, true);
  const dscores = mul(alpha, sub(dalpha, sumOfBlocks(mul(alpha, dalpha), true)));
  const slope = mul(dscores, rstd);
  const product = sum(mul(v, query), -1, true);
  const throughRstd = mul(mul(slope, square(rstd)), mul(product, 1 / columnsOf(v)));
  const dquery = dweights ? sumOverRows(mul(slope, v)) : undefined;
  return {
    dv: add(mul(alpha, dy), sub(mul(slope, query), mul(throughRstd, v))),
    dwQuery: dquery && mul(dquery, wNorm),
    dwNorm: dquery && mul(dquery, wQuery),
  };
});
