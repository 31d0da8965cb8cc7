import { serialization, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { Shape } from '@tensorflow/tfjs-layers';
import { type ConfigOf, number } from '../checks/config_schema.js';
import { layerNorm as op } from '../ops/layer_norm.js';
import { Affine, affineSchema } from './shared/affine.js';
import { type LayerArgs, LigerLayer } from './shared/liger_layer.js';

const schema = {
  /** Added to the variance before the root. Default 1e-3. */
  epsilon: number(1e-3, { min: 0 }),
  ...affineSchema,
} as const;

/** Options of {@link layerNorm}. */
export interface LayerNormLayerArgs extends LayerArgs, ConfigOf<typeof schema> {}

/** The layer that {@link layerNorm} makes. */
export class LayerNorm extends LigerLayer<typeof schema> {
  static readonly className = 'LigerLayerNorm';
  private affine!: Affine;

  constructor(args?: LayerNormLayerArgs) {
    super('layers.layerNorm', schema, args);
    this.supportsMasking = true;
  }

  override build(inputShape: Shape | Shape[]): void {
    this.affine = new Affine(this.config, this.lastDimension(inputShape), this.weight);
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[], kwargs: object): Tensor {
    this.invokeCallHook(inputs, kwargs);
    const { epsilon } = this.config;
    return tidy(() => op(this.one(inputs), this.affine.gamma, this.affine.beta, { epsilon }));
  }
}
serialization.registerClass(LayerNorm);

/**
 * Layer normalization of the last dimension, `[..., C]`: `liger.layerNorm` as a layer. Keras's `LayerNormalization`.
 *
 * Weights: gamma [C], beta [C].
 */
export function layerNorm(args?: LayerNormLayerArgs): LayerNorm {
  return new LayerNorm(args);
}
