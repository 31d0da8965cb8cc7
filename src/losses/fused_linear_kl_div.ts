import { div, mul, notEqual, type Scalar, scalar, type Tensor, type TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, number, oneOf, tensor } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import { sumOverChunks } from './shared/chunked_logits.js';
import { logitsDivergence } from './shared/distillation.js';
import { numberOfCounted, overTemperature, sumOfCounted } from './shared/functions.js';
import { forBothLayouts, headOptions } from './shared/head.js';

const op = 'fusedLinearKlDiv';

const options = {
  ...headOptions,
  /** `[...]`, int32: tokens whose label is `ignoreIndex` don't count. All do by default. */
  labels: tensor(['...'], 'int32'),
  /** 'batchmean', the sum over the number of tokens that count; 'mean', over that of their classes; or 'sum'. Default 'batchmean'. */
  reduction: oneOf(['batchmean', 'mean', 'sum'], 'batchmean'),
  /** What logits are divided by, above 0. Default 1. */
  temperature: number(1, { min: 0, above: true }),
} as const;

const signatureOf = forBothLayouts(
  (layout) =>
    new Signature(
      op,
      { x: float32('...', 'H'), weight: float32(...layout('V', 'H')), target: float32('...', 'V') },
      options,
    ),
);

/** Options of {@link fusedLinearKlDiv}. */
export interface FusedLinearKlDivConfig extends ConfigOf<typeof options> {}

/**
 * The Kullback-Leibler divergence KL(P, Q) of target distributions P from Q, the softmax of a linear layer's logits over the
 * temperature: `Σ P · (log P − log Q)`. The logits exist for a chunk of tokens at a time.
 *
 * @param x Hidden states `[..., H]`.
 * @param weight The output layer `[V, H]`, or `[H, V]` with `transposeWeight`.
 * @param target Probabilities `[..., V]`. Not differentiable.
 * @returns A scalar. Differentiable in x, weight and bias.
 */
export function fusedLinearKlDiv(
  x: Tensor | TensorLike,
  weight: Tensor | TensorLike,
  target: Tensor | TensorLike,
  config?: FusedLinearKlDivConfig,
): Scalar {
  return signatureOf(config).call({ x, weight, target }, config, ({ tensors, config: resolved, sizes }) => {
    const { reduction, temperature, ignoreIndex, transposeWeight, chunkSize } = resolved;
    const { labels, target } = tensors;
    const tokens = target.size / sizes.V;
    if (tokens === 0) return scalar(0);
    const counts = labels && notEqual(labels, ignoreIndex);
    const counted = () => numberOfCounted(counts, tokens);
    const divisors = { batchmean: counted, mean: () => mul(counted(), sizes.V), sum: () => scalar(1) };
    const divisor = divisors[reduction]();
    return sumOverChunks(
      tensors,
      { transposeWeight, chunkSize },
      (chunk) => ({ target: chunk.of(target), isCounted: counts && chunk.of(counts) }),
      (logits, { target, isCounted }) => {
        const perToken = logitsDivergence(overTemperature(logits, temperature), target, 'klDiv');
        return { loss: div(sumOfCounted(perToken, isCounted), divisor) };
      },
    ).loss;
  });
}
