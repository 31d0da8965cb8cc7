import { serialization, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { Shape } from '@tensorflow/tfjs-layers';
import type { ConfigOf } from '../checks/config_schema.js';
import { geglu } from '../ops/geglu.js';
import { linear } from '../ops/linear.js';
import { type GatedMlpWeights, gatedMlpSchema, gatedMlpWeights } from './shared/gated_mlp.js';
import { type LayerArgs, LigerLayer } from './shared/liger_layer.js';

/** Options of {@link gegluMlp}. */
export interface GegluMlpLayerArgs extends LayerArgs, ConfigOf<typeof gatedMlpSchema> {}

/** The layer that {@link gegluMlp} makes. */
export class GegluMlp extends LigerLayer<typeof gatedMlpSchema> {
  static readonly className = 'LigerGegluMlp';
  private kernels!: GatedMlpWeights;

  constructor(args: GegluMlpLayerArgs) {
    super('layers.gegluMlp', gatedMlpSchema, args);
    this.supportsMasking = true;
  }

  override build(inputShape: Shape | Shape[]): void {
    this.kernels = gatedMlpWeights(this.config, this.lastDimension(inputShape), this.weight);
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[], kwargs: object): Tensor {
    this.invokeCallHook(inputs, kwargs);
    const { gate, up, down } = this.kernels;
    return tidy(() => {
      const x = this.one(inputs);
      return linear(geglu(linear(x, gate.read()), linear(x, up.read())), down.read());
    });
  }
}
serialization.registerClass(GegluMlp);

/**
 * The feed-forward block of Gemma, `(gelu(x · gateᵀ) · (x · upᵀ)) · downᵀ` with gelu by its tanh formula, `[..., H]` to
 * `[..., H]`: `liger.linear` and `liger.geglu` as a layer.
 *
 * Weights: gate [I, H], up [I, H], down [H, I], the layout of a checkpoint.
 */
export function gegluMlp(args: GegluMlpLayerArgs): GegluMlp {
  return new GegluMlp(args);
}
