import { serialization, type Tensor } from '@tensorflow/tfjs-core';
import type { LayerVariable, Shape } from '@tensorflow/tfjs-layers';
import { type ConfigOf, flag, number } from '../checks/config_schema.js';
import { rmsNorm as op } from '../ops/rms_norm.js';
import { constraint, initializer, regularizer } from './shared/keras_objects.js';
import { type LayerArgs, LigerLayer } from './shared/liger_layer.js';

const schema = {
  /** Added to the mean square before the root. Default 1e-6. */
  epsilon: number(1e-6, { min: 0 }),
  /** Added to gamma: 1 for models such as Gemma, whose gamma is stored around 0. Default 0. */
  offset: number(0),
  /** Whether there is a gamma. Default true. */
  scale: flag(true),
  /** Default 'ones'. */
  gammaInitializer: initializer('ones'),
  gammaRegularizer: regularizer(),
  gammaConstraint: constraint(),
} as const;

/** Options of {@link rmsNorm}. */
export interface RmsNormLayerArgs extends LayerArgs, ConfigOf<typeof schema> {}

/** The layer that {@link rmsNorm} makes. */
export class RmsNorm extends LigerLayer<typeof schema> {
  static readonly className = 'LigerRmsNorm';
  /** [C] */
  private gamma: LayerVariable | undefined;

  constructor(args?: RmsNormLayerArgs) {
    super('layers.rmsNorm', schema, args);
    this.supportsMasking = true;
  }

  override build(inputShape: Shape | Shape[]): void {
    const { scale, gammaInitializer, gammaRegularizer, gammaConstraint } = this.config;
    const size = this.lastDimension(inputShape);
    if (scale) {
      this.gamma = this.weight('gamma', [size], {
        initializer: gammaInitializer,
        regularizer: gammaRegularizer,
        constraint: gammaConstraint,
      });
    }
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[], kwargs: object): Tensor {
    this.invokeCallHook(inputs, kwargs);
    const { epsilon, offset } = this.config;
    return op(this.one(inputs), this.gamma?.read(), { epsilon, offset });
  }
}
serialization.registerClass(RmsNorm);

/**
 * RMS normalisation of the last dimension, `[..., C]`: `liger.rmsNorm` as a layer. Keras's `RMSNormalization`.
 *
 * Weights: gamma [C].
 */
export function rmsNorm(args?: RmsNormLayerArgs): RmsNorm {
  return new RmsNorm(args);
}
