import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import type { ConfigOf } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { MhcPre } from '../kernels/contracts/mhc_pre.js';

const signature = new Signature('mhcPre', { x: float32('...', 'HC', 'C'), hPre: float32('...', 'HC') }, {});

/** Options of {@link mhcPre}: there are none. */
export interface MhcPreConfig extends ConfigOf<typeof signature.options> {}

/**
 * What goes into a layer under hyper-connections: the sum of a token's residual streams, `Σ hPre · x`, weighted by the
 * coefficients of {@link mhcCoeffs}.
 *
 * Xie et al., "mHC: Manifold-Constrained Hyper-Connections" (2025); `liger_mhc_pre` in Liger-Kernel.
 *
 * @param x The residual streams, `[..., HC, C]`.
 * @param hPre A coefficient for each stream, `[..., HC]`.
 * @returns `[..., C]`. Differentiable in both.
 */
export function mhcPre(x: Tensor | TensorLike, hPre: Tensor | TensorLike, config?: MhcPreConfig): Tensor {
  return signature.call({ x, hPre }, config, ({ tensors }) => runKernel(MhcPre, tensors, {}).y);
}
