import { serialization, type Tensor } from '@tensorflow/tfjs-core';
import type { Shape } from '@tensorflow/tfjs-layers';
import { type ConfigOf, number } from '../checks/config_schema.js';
import { swigluMlp as op } from '../ops/swiglu_mlp.js';
import { type GatedMlpWeights, gatedMlpSchema, gatedMlpWeights } from './shared/gated_mlp.js';
import { type LayerArgs, LigerLayer } from './shared/liger_layer.js';

const schema = {
  ...gatedMlpSchema,
  /** Multiplies the gate before its activation. Default 1. */
  gateMultiplier: number(1),
  /** Multiplies what the down weight is applied to. Default 1. */
  downMultiplier: number(1),
} as const;

/** Options of {@link swigluMlp}. */
export interface SwigluMlpLayerArgs extends LayerArgs, ConfigOf<typeof schema> {}

/** The layer that {@link swigluMlp} makes. */
export class SwigluMlp extends LigerLayer<typeof schema> {
  static readonly className = 'LigerSwigluMlp';
  private kernels!: GatedMlpWeights;

  constructor(args: SwigluMlpLayerArgs) {
    super('layers.swigluMlp', schema, args);
    this.supportsMasking = true;
  }

  override build(inputShape: Shape | Shape[]): void {
    this.kernels = gatedMlpWeights(this.config, this.lastDimension(inputShape), this.weight);
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[], kwargs: object): Tensor {
    this.invokeCallHook(inputs, kwargs);
    const { gate, up, down } = this.kernels;
    const { gateMultiplier, downMultiplier } = this.config;
    return op(this.one(inputs), gate.read(), up.read(), down.read(), { gateMultiplier, downMultiplier });
  }
}
serialization.registerClass(SwigluMlp);

/**
 * The feed-forward block of Llama and its kin, `(silu(x · gateᵀ) · (x · upᵀ)) · downᵀ`, `[..., H]` to `[..., H]`:
 * `liger.swigluMlp` as a layer.
 *
 * Weights: gate [I, H], up [I, H], down [H, I], the layout of a checkpoint.
 */
export function swigluMlp(args: SwigluMlpLayerArgs): SwigluMlp {
  return new SwigluMlp(args);
}
