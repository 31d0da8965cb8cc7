import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import type { ConfigOf } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { MhcPostRes } from '../kernels/contracts/mhc_post_res.js';

const signature = new Signature(
  'mhcPostRes',
  {
    x: float32('...', 'HC', 'C'),
    fOut: float32('...', 'C'),
    hPost: float32('...', 'HC'),
    hRes: float32('...', 'HC', 'HC'),
  },
  {},
);

/** Options of {@link mhcPostRes}: there are none. */
export interface MhcPostResConfig extends ConfigOf<typeof signature.options> {}

/**
 * What comes after a layer under hyper-connections: a token's residual streams, mixed with one another, and a part of the
 * layer's output for each of them.
 *
 *     y[i] = Σ hRes[i, j] · x[j] + hPost[i] · fOut
 *
 * Xie et al., "mHC: Manifold-Constrained Hyper-Connections" (2025); `liger_mhc_post_res` in Liger-Kernel.
 *
 * @param x The residual streams, `[..., HC, C]`.
 * @param fOut What the layer gave, `[..., C]`.
 * @param hPost The part of it that each stream gets, `[..., HC]`.
 * @param hRes How streams are mixed, `[..., HC, HC]`: a row for each that comes out.
 * @returns `[..., HC, C]`. Differentiable in all four.
 */
export function mhcPostRes(
  x: Tensor | TensorLike,
  fOut: Tensor | TensorLike,
  hPost: Tensor | TensorLike,
  hRes: Tensor | TensorLike,
  config?: MhcPostResConfig,
): Tensor {
  return signature.call({ x, fOut, hPost, hRes }, config, ({ tensors }) => runKernel(MhcPostRes, tensors, {}).y);
}
