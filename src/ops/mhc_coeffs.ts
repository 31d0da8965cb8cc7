import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import type { ConfigOf } from '../checks/config_schema.js';
import { Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { MhcCoeffs } from '../kernels/contracts/mhc_coeffs.js';
import { checkPhi, mhcOptions, mhcTensors } from './shared/mhc_arguments.js';

const signature = new Signature('mhcCoeffs', mhcTensors, mhcOptions);

/** Options of {@link mhcCoeffs}. */
export interface MhcCoeffsConfig extends ConfigOf<typeof mhcOptions> {}

/** What {@link mhcCoeffs} returns. */
export type MhcCoeffsResult = {
  /** `[..., HC]`, for {@link mhcPre}. */
  hPre: Tensor;
  /** `[..., HC]`, for {@link mhcPostRes}. */
  hPost: Tensor;
  /** `[..., HC, HC]`, for {@link mhcPostRes}: rows and columns that add up to 1. */
  hRes: Tensor;
};

/**
 * The coefficients of manifold-constrained hyper-connections: how the residual streams of a token go into a layer, how its
 * output goes into them, and how they are mixed with one another. With n(x) = x / √(mean(x²) + rmsEpsilon), the mean over all
 * streams:
 *
 *     pre, post, res = n(x) · phi, cut into HC, HC and HC · HC columns; b likewise
 *     hPre  = sigmoid(alphaPre · pre + bPre) + preEpsilon
 *     hPost = sigmoid(alphaPost · post + bPost) · postMult
 *     hRes  = sinkhorn(softmax(alphaRes · res + bRes) + sinkhornEpsilon)
 *
 * Sinkhorn's iteration divides columns by their sums, then `tmax` − 1 times rows and columns: hRes comes close to a doubly
 * stochastic matrix, so that mixing makes no stream explode or vanish.
 *
 * Xie et al., "mHC: Manifold-Constrained Hyper-Connections" (2025); `liger_mhc_coeffs` in Liger-Kernel.
 *
 * @param x The residual streams, `[..., HC, C]`.
 * @param phi What projects them, `[HC · C, HC² + 2 · HC]`.
 * @param b `[HC² + 2 · HC]`, added to the projection: what the coefficients are where the alphas are 0.
 * @param alphaPre A scalar, `[]`.
 * @param alphaPost A scalar, `[]`.
 * @param alphaRes A scalar, `[]`.
 * @returns `hPre`, `hPost` and `hRes`. Differentiable in all six.
 * @throws If phi has other sizes than x asks for.
 */
export function mhcCoeffs(
  x: Tensor | TensorLike,
  phi: Tensor | TensorLike,
  b: Tensor | TensorLike,
  alphaPre: Tensor | TensorLike,
  alphaPost: Tensor | TensorLike,
  alphaRes: Tensor | TensorLike,
  config?: MhcCoeffsConfig,
): MhcCoeffsResult {
  return signature.call({ x, phi, b, alphaPre, alphaPost, alphaRes }, config, ({ tensors, config: attrs }) => {
    checkPhi(signature.op, tensors);
    const { hPre, hPost, hRes } = runKernel(MhcCoeffs, tensors, attrs);
    return { hPre, hPost, hRes };
  });
}
