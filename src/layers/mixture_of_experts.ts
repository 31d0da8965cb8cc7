import {
  cast,
  div,
  expandDims,
  mean,
  mul,
  oneHot,
  reshape,
  type Scalar,
  scalar,
  serialization,
  sum,
  type Tensor,
  tidy,
  topk,
} from '@tensorflow/tfjs-core';
import type { LayerVariable, Shape } from '@tensorflow/tfjs-layers';
import { type ConfigOf, flag, integer, number, required } from '../checks/config_schema.js';
import { stopGradient } from '../losses/shared/functions.js';
import { fusedMoe } from '../ops/fused_moe.js';
import { linear } from '../ops/linear.js';
import { softmax } from '../ops/softmax.js';
import { constraint, initializer, regularizer } from './shared/keras_objects.js';
import { kernelOf, kernelSchema } from './shared/kernel_options.js';
import { type LayerArgs, LigerLayer } from './shared/liger_layer.js';
import { StackedInitializer } from './shared/stacked_initializer.js';

const schema = {
  /** How many experts there are, E. */
  numExperts: required(integer(undefined, { min: 1 })),
  /** How many of them each token goes through, K. */
  expertsPerToken: required(integer(undefined, { min: 1 })),
  /** An expert's inner size I. */
  intermediateSize: required(integer(undefined, { min: 1 })),
  /** Whether the weights of a token's experts are divided by their sum, as in Mixtral. Default true. */
  normalizeTopK: flag(true),
  /** What the auxiliary loss is multiplied by; 0 for none. Default 0. */
  auxLossWeight: number(0, { min: 0 }),
  /** Default 'glorotUniform'. */
  routerInitializer: initializer('glorotUniform'),
  routerRegularizer: regularizer(),
  routerConstraint: constraint(),
  ...kernelSchema,
  /** Of the experts, of each matrix by itself. Default 'glorotUniform'. */
  kernelInitializer: kernelSchema.kernelInitializer,
} as const;

/** Options of {@link mixtureOfExperts}. */
export interface MixtureOfExpertsLayerArgs extends LayerArgs, ConfigOf<typeof schema> {}

/** The layer that {@link mixtureOfExperts} makes. */
export class MixtureOfExperts extends LigerLayer<typeof schema> {
  static readonly className = 'LigerMixtureOfExperts';
  /** [E, C] */
  private router!: LayerVariable;
  /** [E, 2I, C] */
  private gateUp!: LayerVariable;
  /** [E, C, I] */
  private down!: LayerVariable;
  /** Of the last call in training. */
  private auxLoss: Scalar | undefined;

  constructor(args: MixtureOfExpertsLayerArgs) {
    super('layers.mixtureOfExperts', schema, args);
    this.supportsMasking = true;
    const { numExperts, expertsPerToken, auxLossWeight } = this.config;
    if (expertsPerToken > numExperts) {
      throw new Error(
        `${this.label}: expertsPerToken must be at most numExperts = ${numExperts}, but is ${expertsPerToken}`,
      );
    }
    // `fit` adds what this gives to its loss, on the same tape, once it has called the layer.
    if (auxLossWeight > 0) this.addLoss(() => (this.auxLoss?.isDisposed === false ? this.auxLoss : scalar(0)));
  }

  override build(inputShape: Shape | Shape[]): void {
    const { numExperts, intermediateSize, ...config } = this.config;
    const size = this.lastDimension(inputShape);
    const matrices = (each: number, rows: number) => ({
      ...kernelOf(this.config),
      initializer: new StackedInitializer(config.kernelInitializer, new Array<number>(each * numExperts).fill(rows)),
    });
    this.router = this.weight('router_kernel', [numExperts, size], {
      initializer: new StackedInitializer(config.routerInitializer, [numExperts]),
      regularizer: config.routerRegularizer,
      constraint: config.routerConstraint,
    });
    this.gateUp = this.weight(
      'gate_up_kernel',
      [numExperts, 2 * intermediateSize, size],
      matrices(2, intermediateSize),
    );
    this.down = this.weight('down_kernel', [numExperts, size, intermediateSize], matrices(1, size));
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[], kwargs: { training?: boolean }): Tensor {
    this.invokeCallHook(inputs, kwargs);
    const { auxLossWeight } = this.config;
    const [y, auxLoss] = tidy(() => {
      const x = this.one(inputs);
      const probabilities = softmax(linear(x, this.router.read()));
      const { indices, chosen, weights } = this.choose(probabilities);
      const y = fusedMoe(x, this.gateUp.read(), this.down.read(), indices, weights);
      return kwargs.training && auxLossWeight > 0 ? [y, this.balanceLoss(probabilities, chosen)] : [y];
    }) as [Tensor, Scalar?];
    this.auxLoss = auxLoss;
    return y;
  }

  /** Each token's experts [..., K], the same as ones among zeros [..., K, E], and what their results are multiplied by [..., K]. */
  private choose(probabilities: Tensor) {
    const { numExperts, expertsPerToken, normalizeTopK } = this.config;
    // topk has no gradient; the weights are picked again, so that theirs flows.
    const { indices } = topk(stopGradient(probabilities), expertsPerToken);
    // Not in float32 at once: wasm's kernel writes integers.
    const chosen = cast(oneHot(indices, numExperts), 'float32');
    const picked = sum(mul(chosen, expandDims(probabilities, -2)), -1);
    return { indices, chosen, weights: normalizeTopK ? div(picked, sum(picked, -1, true)) : picked };
  }

  /** E · Σ (share of tokens that chose an expert · its mean probability), times its weight; added up choice by choice. */
  private balanceLoss(probabilities: Tensor, chosen: Tensor): Scalar {
    const { numExperts, auxLossWeight } = this.config;
    const means = mean(reshape(probabilities, [-1, numExperts]), 0);
    const tokens = probabilities.size / numExperts;
    return mul(sum(mul(chosen, means)), (auxLossWeight * numExperts) / tokens);
  }
}
serialization.registerClass(MixtureOfExperts);

/**
 * A mixture of experts, `[..., C]` to `[..., C]`: a router gives each token's probability of each expert, and the token goes through
 * the `expertsPerToken` most probable ones, feed-forward blocks with swiglu, whose results are added up by their probabilities.
 * `liger.fusedMoe` as a layer; the feed-forward block of Mixtral and of Qwen's mixtures.
 *
 * With `auxLossWeight` the layer has a loss that `fit` adds, and `calculateLosses` gives after a call in training:
 * `auxLossWeight · E · Σ f · p`, where f is the share of tokens that chose an expert, and p the mean of its probability. It is
 * least, `auxLossWeight · K`, where experts are chosen equally: `load_balancing_loss_func` in Hugging Face's transformers. A layer
 * that is called twice in a step counts its last call's loss for both.
 *
 * Weights: router_kernel [E, C], gate_up_kernel [E, 2I, C], of each expert the rows of its gate, then those of up, and down_kernel
 * [E, C, I].
 */
export function mixtureOfExperts(args: MixtureOfExpertsLayerArgs): MixtureOfExperts {
  return new MixtureOfExperts(args);
}
