import { serialization, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, type Shape } from '@tensorflow/tfjs-layers';
import { type ConfigOf, number } from '../checks/config_schema.js';
import { dyt as op } from '../ops/dyt.js';
import { Affine, affineSchema } from './shared/affine.js';
import { type LayerArgs, LigerLayer } from './shared/liger_layer.js';

const schema = {
  /** How steep the tanh is at first. Default 0.5. */
  alpha: number(0.5),
  ...affineSchema,
} as const;

/** Options of {@link dyt}. */
export interface DytLayerArgs extends LayerArgs, ConfigOf<typeof schema> {}

/** The layer that {@link dyt} makes. */
export class Dyt extends LigerLayer<typeof schema> {
  static readonly className = 'LigerDyt';
  /** [1] */
  private alpha!: LayerVariable;
  private affine!: Affine;

  constructor(args?: DytLayerArgs) {
    super('layers.dyt', schema, args);
    this.supportsMasking = true;
  }

  override build(inputShape: Shape | Shape[]): void {
    const size = this.lastDimension(inputShape);
    this.alpha = this.weight('alpha', [1], { initializer: initializers.constant({ value: this.config.alpha }) });
    this.affine = new Affine(this.config, size, this.weight);
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[], kwargs: object): Tensor {
    this.invokeCallHook(inputs, kwargs);
    const { alpha, affine } = this;
    return tidy(() => op(this.one(inputs), alpha.read(), affine.gamma, { beta: affine.beta }));
  }
}
serialization.registerClass(Dyt);

/**
 * Dynamic tanh, `gamma · tanh(alpha · x) + beta`, which stands in the place of a normalization, `[..., C]`: `liger.dyt` as a
 * layer.
 *
 * Weights: alpha [1], gamma [C], beta [C].
 */
export function dyt(args?: DytLayerArgs): Dyt {
  return new Dyt(args);
}
