import {
  add,
  concat,
  matMul,
  mul,
  neg,
  reshape,
  rsqrt,
  sigmoid,
  split,
  square,
  sub,
  sum,
  type Tensor,
  zeros,
} from '@tensorflow/tfjs-core';
import { MhcCoeffs, MhcCoeffsGrad } from '../contracts/mhc_coeffs.js';
import { mhcShape } from '../contracts/shared/mhc_shape.js';
import { composedKernel } from './shared/composed_kernel.js';
import { columnsOf, meanOfRows, sumOverRows } from './shared/rows.js';
import { sinkhorn, sinkhornGrad } from './shared/sinkhorn.js';
import { asTokens } from './shared/tokens.js';

type Three = [pre: Tensor, post: Tensor, res: Tensor];

/** Columns [tokens, M], or M numbers, as those of hPre, of hPost and of hRes. */
const partsOf = (x: Tensor, streams: number): Three => split(x, [streams, streams, streams ** 2], -1) as Three;

/** mix · alpha + b, with the HC² columns of hRes as matrices. */
function logitsOf(
  mix: Tensor,
  { b, alphaPre, alphaPost, alphaRes }: Record<'b' | 'alphaPre' | 'alphaPost' | 'alphaRes', Tensor>,
  streams: number,
): Three {
  const biases = partsOf(b, streams);
  const alphas = [alphaPre, alphaPost, alphaRes];
  const [pre, post, res] = partsOf(mix, streams).map((part, i) => add(mul(part, alphas[i]!), biases[i]!)) as Three;
  return [pre, post, asTokens(res, streams, streams)];
}

export const mhcCoeffs = composedKernel(MhcCoeffs, ({ x, phi, ...gates }, attrs) => {
  const { leading, streams, columns, coefficients } = mhcShape(x);
  const features = asTokens(x, streams * columns);
  const rstd = rsqrt(add(meanOfRows(square(features)), attrs.rmsEpsilon));
  const mix = mul(matMul(features, phi), rstd);
  const [pre, post, res] = logitsOf(mix, gates, streams);
  return {
    hPre: reshape(add(sigmoid(pre), attrs.preEpsilon), [...leading, streams]),
    hPost: reshape(mul(sigmoid(post), attrs.postMult), [...leading, streams]),
    hRes: reshape(sinkhorn(res, attrs), [...leading, streams, streams]),
    mix: reshape(mix, [...leading, coefficients]),
    rstd: reshape(rstd, leading),
  };
});

/** sigmoid′ = sigmoid(z) · sigmoid(−z), which keeps its digits where sigmoid(z) is near 1. */
const sigmoidSlope = (z: Tensor) => mul(sigmoid(z), sigmoid(neg(z)));

/**
 * With slope = dmix · rstd: dx = slope · phiᵀ − x · rstd² · Σ dmix · mix / (HC · C), dphi = xᵀ · slope, db = Σ dz over tokens and
 * dalpha = Σ dz · mix over tokens and columns.
 */
export const mhcCoeffsGrad = composedKernel(
  MhcCoeffsGrad,
  ({ dhPre, dhPost, dhRes, x, phi, mix, rstd, ...gates }, attrs) => {
    const { streams, columns, coefficients } = mhcShape(x);
    const features = asTokens(x, streams * columns);
    const mixes = asTokens(mix, coefficients);
    const rstds = asTokens(rstd, 1);
    const [pre, post, res] = logitsOf(mixes, gates, streams);
    const dpre = mul(asTokens(dhPre, streams), sigmoidSlope(pre));
    const dpost = mul(mul(asTokens(dhPost, streams), sigmoidSlope(post)), attrs.postMult);
    const dres = asTokens(sinkhornGrad(asTokens(dhRes, streams, streams), res, attrs), streams ** 2);
    const dmix = concat([mul(dpre, gates.alphaPre), mul(dpost, gates.alphaPost), mul(dres, gates.alphaRes)], 1);
    const slopes = mul(dmix, rstds);
    return {
      ...(attrs.dx && { dx: dxOf() }),
      ...(attrs.dphi && { dphi: dphiOf() }),
      ...(attrs.dgates && dgatesOf()),
    };

    function dxOf(): Tensor {
      const throughRstd = mul(square(rstds), mul(sum(mul(dmix, mixes), -1, true), 1 / columnsOf(features)));
      return reshape(sub(matMul(slopes, phi, false, true), mul(features, throughRstd)), x.shape);
    }

    function dphiOf(): Tensor {
      // Some backends leave a product over nothing unwritten.
      return features.size === 0 ? zeros(phi.shape) : matMul(features, slopes, true, false);
    }

    function dgatesOf() {
      const dz = concat([dpre, dpost, dres], 1);
      const [dalphaPre, dalphaPost, dalphaRes] = partsOf(sumOverRows(mul(dz, mixes)), streams).map((part) =>
        sum(part),
      ) as Three;
      return { db: sumOverRows(dz), dalphaPre, dalphaPost, dalphaRes };
    }
  },
);
