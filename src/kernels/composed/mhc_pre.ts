import { matMul, mul, reshape, sum } from '@tensorflow/tfjs-core';
import { MhcPre, MhcPreGrad } from '../contracts/mhc_pre.js';
import { mhcShape } from '../contracts/shared/mhc_shape.js';
import { composedKernel } from './shared/composed_kernel.js';
import { asTokens } from './shared/tokens.js';

export const mhcPre = composedKernel(MhcPre, ({ x, hPre }) => {
  const { leading, streams, columns } = mhcShape(x);
  const y = matMul(asTokens(hPre, 1, streams), asTokens(x, streams, columns));
  return { y: reshape(y, [...leading, columns]) };
});

export const mhcPreGrad = composedKernel(MhcPreGrad, ({ dy, x, hPre }) => {
  const { streams, columns } = mhcShape(x);
  const slopes = asTokens(dy, 1, columns);
  return {
    dx: reshape(mul(asTokens(hPre, streams, 1), slopes), x.shape),
    dhPre: reshape(sum(mul(asTokens(x, streams, columns), slopes), -1), hPre.shape),
  };
});
