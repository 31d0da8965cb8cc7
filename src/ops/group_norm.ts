import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, integer, number, oneOf, required } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { GroupNorm } from '../kernels/contracts/group_norm.js';

const op = 'groupNorm';

const options = {
  /** How many groups the channels are in, a divisor of C; 1 normalizes all together, C each by itself. Required. */
  numGroups: required(integer(undefined, { min: 1 })),
  /** Added to the variance before the root. Default 1e-6. */
  epsilon: number(1e-6, { min: 0 }),
  /** 'channelsLast': x is [B, ..., C]. 'channelsFirst': [B, C, ...]. Default 'channelsLast'. */
  dataFormat: oneOf(['channelsLast', 'channelsFirst'], 'channelsLast'),
} as const;

const channelsLast = new Signature(
  op,
  { x: float32('B', '...', 'C'), gamma: float32('C'), beta: float32('C') },
  options,
);
const channelsFirst = new Signature(
  op,
  { x: float32('B', 'C', '...'), gamma: float32('C'), beta: float32('C') },
  options,
);

/** Options of {@link groupNorm}. */
export interface GroupNormConfig extends ConfigOf<typeof options> {}

/**
 * Group normalization: `(x − mean) / √(variance + epsilon) · gamma + beta`, with mean and variance over all positions of the
 * C / numGroups channels of a group, for each sample. The variance is the biased one.
 *
 * Wu and He, "Group Normalization" (2018); `liger_group_norm` in Liger-Kernel, `torch.nn.functional.group_norm` in PyTorch.
 *
 * @param x Activations `[B, ..., C]`, or `[B, C, ...]` as `dataFormat` says, with any number of spatial dimensions or none.
 * @param gamma Scale `[C]`.
 * @param beta Shift `[C]`.
 * @returns Of x's shape. Differentiable in x, gamma and beta.
 * @throws If numGroups is missing, or does not divide C.
 */
export function groupNorm<T extends Tensor>(
  x: T | TensorLike,
  gamma: Tensor | TensorLike,
  beta: Tensor | TensorLike,
  config: GroupNormConfig,
): T {
  const signature = config?.dataFormat === 'channelsFirst' ? channelsFirst : channelsLast;
  return signature.call({ x, gamma, beta }, config, ({ tensors, config: attrs, sizes: { C } }) => {
    if (C % attrs.numGroups !== 0) {
      throw new Error(`${op}: option 'numGroups' must divide the ${C} channels of x, but got ${attrs.numGroups}`);
    }
    return runKernel(GroupNorm, tensors, attrs).y as T;
  });
}
