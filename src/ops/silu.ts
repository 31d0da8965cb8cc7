import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import type { ConfigOf } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { Activate } from '../kernels/contracts/activate.js';

const signature = new Signature('silu', { x: float32('...') }, {});

/** Options of {@link silu}: there are none. */
export interface SiluConfig extends ConfigOf<typeof signature.options> {}

/**
 * The sigmoid linear unit, or swish: `x · sigmoid(x)`, without overflow.
 *
 * Ramachandran et al., "Searching for Activation Functions" (2017); `silu` in PyTorch.
 *
 * @param x Of any shape.
 * @returns Of x's shape. Differentiable in x.
 */
export function silu<T extends Tensor>(x: T | TensorLike, config?: SiluConfig): T {
  return signature.call({ x }, config, ({ tensors }) => runKernel(Activate, tensors, { activation: 'silu' }).y as T);
}
