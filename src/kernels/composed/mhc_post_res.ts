import { add, matMul, mul, reshape, sum } from '@tensorflow/tfjs-core';
import { MhcPostRes, MhcPostResGrad } from '../contracts/mhc_post_res.js';
import { mhcShape } from '../contracts/shared/mhc_shape.js';
import { composedKernel } from './shared/composed_kernel.js';
import { asTokens } from './shared/tokens.js';

export const mhcPostRes = composedKernel(MhcPostRes, ({ x, fOut, hPost, hRes }) => {
  const { streams, columns } = mhcShape(x);
  const mixed = matMul(asTokens(hRes, streams, streams), asTokens(x, streams, columns));
  const added = mul(asTokens(hPost, streams, 1), asTokens(fOut, 1, columns));
  return { y: reshape(add(mixed, added), x.shape) };
});

export const mhcPostResGrad = composedKernel(MhcPostResGrad, ({ dy, x, fOut, hPost, hRes }) => {
  const { streams, columns } = mhcShape(x);
  const slopes = asTokens(dy, streams, columns);
  return {
    dx: reshape(matMul(asTokens(hRes, streams, streams), slopes, true), x.shape),
    dfOut: reshape(matMul(asTokens(hPost, 1, streams), slopes), fOut.shape),
    dhPost: reshape(sum(mul(slopes, asTokens(fOut, 1, columns)), -1), hPost.shape),
    dhRes: reshape(matMul(slopes, asTokens(x, streams, columns), false, true), hRes.shape),
  };
});
