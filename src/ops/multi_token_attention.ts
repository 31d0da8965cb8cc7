import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, flag, integer, integerPair, tensor } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { MultiTokenAttention, mapShape, type Pair } from '../kernels/contracts/multi_token_attention.js';

const op = 'multiTokenAttention';

const signature = new Signature(
  op,
  { scores: float32('B', 'C', 'L', 'L'), weight: float32('O', 'C/groups', 'rows', 'columns') },
  {
    /** `[O]`, added to each output channel. */
    bias: tensor(['O']),
    /** Steps of the convolution, as one number or as those along queries and along keys. Default 1. */
    strides: integerPair(1, { min: 1 }),
    /** Zeros around the weights, on both sides, as one number or as those along queries and along keys. Default 0. */
    padding: integerPair(0, { min: 0 }),
    /** Distances between the places that a kernel looks at, along queries and along keys. Default 1. */
    dilations: integerPair(1, { min: 1 }),
    /** Groups of channels, each convolved by itself; C for a kernel for each head. Default 1. */
    groups: integer(1, { min: 1 }),
    /** Makes weights by sparsemax instead of softmax. Default false. */
    sparse: flag(),
  },
);

/** Options of {@link multiTokenAttention}. */
export interface MultiTokenAttentionConfig extends ConfigOf<typeof signature.options> {}

/**
 * Multi-token attention: the causal attention weights of each head, convolved over queries, keys and heads.
 *
 *     y = mask(conv2d(softmax(scores up to the diagonal), weight) + bias), 0 beyond the diagonal
 *
 * The weights themselves are never stored. Multiply `y`, one map a head, by the values.
 *
 * Golovneva et al., "Multi-Token Attention" (2025); with `sparse`, the weights are those of Martins and Astudillo, "From
 * Softmax to Sparsemax" (2016). `liger_multi_token_attention` in Liger-Kernel.
 *
 * @param scores Products of queries and keys, scaled, `[B, C, L, L]`: a map for each of C heads.
 * @param weight `[O, C / groups, rows, columns]`, as PyTorch's conv2d has it.
 * @returns `[B, O, rows, columns]`: with a padding of half the kernel's size and an odd kernel, `[B, O, L, L]`.
 *     Differentiable in scores, weight and bias.
 * @throws If groups do not divide C and O, weight has other than C / groups channels, or the kernel is larger than the padded
 *     scores.
 */
export function multiTokenAttention(
  scores: Tensor | TensorLike,
  weight: Tensor | TensorLike,
  config?: MultiTokenAttentionConfig,
): Tensor {
  return signature.call(
    { scores, weight },
    config,
    ({ tensors, config: { strides, padding, dilations, groups, sparse }, sizes: { C, O, 'C/groups': inGroup } }) => {
      if (C % groups !== 0 || O % groups !== 0) {
        throw new Error(
          `${op}: option 'groups' must divide the ${C} channels of scores and the ${O} of y, but got ${groups}`,
        );
      }
      if (inGroup !== C / groups) {
        throw new Error(
          `${op}: weight must have ${C / groups} channels a kernel (the ${C} of scores in ${groups} group${groups > 1 ? 's' : ''}), but has ${inGroup}`,
        );
      }
      const attrs = { strides: pairOf(strides), padding: pairOf(padding), dilations: pairOf(dilations), groups };
      const { out, kernel, length } = mapShape(tensors.scores.shape, tensors.weight.shape, attrs);
      if (Math.min(...out) < 1) {
        const spans = kernel.map((size, i) => attrs.dilations[i]! * (size - 1) + 1);
        const padded = attrs.padding.map((size) => length + 2 * size);
        throw new Error(`${op}: weight spans [${spans}] scores, more than the padded [${padded}] that there are`);
      }
      return runKernel(MultiTokenAttention, tensors, { ...attrs, sparse }).y;
    },
  );
}

const pairOf = (value: number | Pair): Pair => (typeof value === 'number' ? [value, value] : value);
