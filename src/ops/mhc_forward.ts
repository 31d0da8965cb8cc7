import { Tensor, type TensorLike, util } from '@tensorflow/tfjs-core';
import { type ConfigOf, flag } from '../checks/config_schema.js';
import { fail } from '../checks/errors.js';
import { Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { MhcCoeffs } from '../kernels/contracts/mhc_coeffs.js';
import { MhcPostRes } from '../kernels/contracts/mhc_post_res.js';
import { MhcPre } from '../kernels/contracts/mhc_pre.js';
import type { MhcCoeffsResult } from './mhc_coeffs.js';
import { checkPhi, mhcOptions, mhcTensors } from './shared/mhc_arguments.js';

const op = 'mhcForward';

const signature = new Signature(op, mhcTensors, {
  ...mhcOptions,
  /** Returns an object with the coefficients, too. Default false. */
  returnCoeffs: flag(),
});

/** Options of {@link mhcForward}. */
export interface MhcForwardConfig<R extends boolean = boolean> extends ConfigOf<typeof mhcOptions> {
  /** Returns an object with the coefficients, too. Default false. */
  returnCoeffs?: R;
}

/** What {@link mhcForward} returns with `returnCoeffs`. */
export type MhcForwardResult = MhcCoeffsResult & {
  /** `[..., HC, C]` */
  y: Tensor;
};

/** What {@link mhcForward} returns, by `returnCoeffs`. */
export type MhcForwardReturn<R extends boolean> = [R] extends [true]
  ? MhcForwardResult
  : [R] extends [false]
    ? Tensor
    : Tensor | MhcForwardResult;

/**
 * A layer under manifold-constrained hyper-connections, in the place of a residual connection around it:
 *
 *     {hPre, hPost, hRes} = mhcCoeffs(x, phi, b, alphaPre, alphaPost, alphaRes)
 *     y = mhcPostRes(x, layer(mhcPre(x, hPre)), hPost, hRes)
 *
 * Xie et al., "mHC: Manifold-Constrained Hyper-Connections" (2025); `liger_mhc_forward` in Liger-Kernel.
 *
 * @param x The residual streams, `[..., HC, C]`.
 * @param layer A synchronous function of a tensor `[..., C]` that returns one of the same shape, such as a block of attention.
 * @param phi What projects the streams to coefficients, `[HC · C, HC² + 2 · HC]`.
 * @param b `[HC² + 2 · HC]`, added to the projection.
 * @param alphaPre A scalar, `[]`.
 * @param alphaPost A scalar, `[]`.
 * @param alphaRes A scalar, `[]`.
 * @returns The streams `[..., HC, C]`, or an object with them and the coefficients. Differentiable in all tensors, and in what
 *     `layer` uses.
 * @throws If `layer` is no function, or returns something else than a tensor of the shape that it was given; or if phi has
 *     other sizes than x asks for.
 */
export function mhcForward<R extends boolean = false>(
  x: Tensor | TensorLike,
  layer: (x: Tensor) => Tensor,
  phi: Tensor | TensorLike,
  b: Tensor | TensorLike,
  alphaPre: Tensor | TensorLike,
  alphaPost: Tensor | TensorLike,
  alphaRes: Tensor | TensorLike,
  config?: MhcForwardConfig<R>,
): MhcForwardReturn<R> {
  if (typeof layer !== 'function') fail(op, 'layer', 'a function', layer);
  const result = signature.call(
    { x, phi, b, alphaPre, alphaPost, alphaRes },
    config,
    ({ tensors, config: options }) => {
      checkPhi(op, tensors);
      const { returnCoeffs, ...attrs } = options;
      const { hPre, hPost, hRes } = runKernel(MhcCoeffs, tensors, attrs);
      const layerInput = runKernel(MhcPre, { x: tensors.x, hPre }, {}).y;
      const fOut = checked(layer(layerInput), layerInput);
      const { y } = runKernel(MhcPostRes, { x: tensors.x, fOut, hPost, hRes }, {});
      return returnCoeffs ? { y, hPre, hPost, hRes } : y;
    },
  );
  return result as MhcForwardReturn<R>;
}

function checked(output: unknown, { shape }: Tensor): Tensor {
  if (!(output instanceof Tensor) || output.dtype !== 'float32' || !util.arraysEqual(output.shape, shape)) {
    fail(op, 'what layer returns', `a float32 tensor of shape [${shape}]`, output);
  }
  return output;
}
