import { serialization, type Tensor } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { type ConfigOf, number } from '../checks/config_schema.js';
import { polyNorm as op } from '../ops/poly_norm.js';
import { constraint, initializer, regularizer } from './shared/keras_objects.js';
import { type LayerArgs, LigerLayer } from './shared/liger_layer.js';

const schema = {
  /** Added to each mean square before its root. Default 1e-6. */
  epsilon: number(1e-6, { min: 0 }),
  /** Default 1/3 for each power. */
  weightInitializer: initializer({ className: 'Constant', config: { value: 1 / 3 } }),
  /** Default 'ones'. */
  biasInitializer: initializer('ones'),
  weightRegularizer: regularizer(),
  biasRegularizer: regularizer(),
  weightConstraint: constraint(),
  biasConstraint: constraint(),
} as const;

/** Options of {@link polyNorm}. */
export interface PolyNormLayerArgs extends LayerArgs, ConfigOf<typeof schema> {}

/** The layer that {@link polyNorm} makes. */
export class PolyNorm extends LigerLayer<typeof schema> {
  static readonly className = 'LigerPolyNorm';
  /** [3] */
  private coefficients!: LayerVariable;
  /** [] */
  private bias!: LayerVariable;

  constructor(args?: PolyNormLayerArgs) {
    super('layers.polyNorm', schema, args);
    this.supportsMasking = true;
  }

  override build(): void {
    const { config } = this;
    this.coefficients = this.weight('weight', [3], {
      initializer: config.weightInitializer,
      regularizer: config.weightRegularizer,
      constraint: config.weightConstraint,
    });
    this.bias = this.weight('bias', [], {
      initializer: config.biasInitializer,
      regularizer: config.biasRegularizer,
      constraint: config.biasConstraint,
    });
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[], kwargs: object): Tensor {
    this.invokeCallHook(inputs, kwargs);
    return op(this.one(inputs), this.coefficients.read(), this.bias.read(), { epsilon: this.config.epsilon });
  }
}
serialization.registerClass(PolyNorm);

/**
 * A polynomial of normalized powers, which stands in the place of an activation, `[..., C]`: `liger.polyNorm` as a layer.
 *
 * Weights: weight [3], of the third, the second and the first power, and bias []. They begin as Liger-Kernel's.
 */
export function polyNorm(args?: PolyNormLayerArgs): PolyNorm {
  return new PolyNorm(args);
}
