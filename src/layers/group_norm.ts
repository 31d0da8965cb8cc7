import { serialization, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { Shape } from '@tensorflow/tfjs-layers';
import { type ConfigOf, integer, number, oneOf } from '../checks/config_schema.js';
import { show } from '../checks/errors.js';
import { groupNorm as op } from '../ops/group_norm.js';
import { Affine, affineSchema } from './shared/affine.js';
import { type LayerArgs, LigerLayer } from './shared/liger_layer.js';

const schema = {
  /** How many groups the channels are in, a divisor of C; -1 for C, each channel by itself. Default 32. */
  groups: integer(32, { min: -1 }),
  /** Added to the variance before the root. Default 1e-3. */
  epsilon: number(1e-3, { min: 0 }),
  /** 'channelsLast': the input is [B, ..., C], Keras's axis -1. 'channelsFirst': [B, C, ...], its axis 1. Default 'channelsLast'. */
  dataFormat: oneOf(['channelsLast', 'channelsFirst'], 'channelsLast'),
  ...affineSchema,
} as const;

/** Options of {@link groupNorm}. */
export interface GroupNormLayerArgs extends LayerArgs, ConfigOf<typeof schema> {}

/** The layer that {@link groupNorm} makes. */
export class GroupNorm extends LigerLayer<typeof schema> {
  static readonly className = 'LigerGroupNorm';
  private affine!: Affine;
  private numGroups!: number;

  constructor(args?: GroupNormLayerArgs) {
    super('layers.groupNorm', schema, args);
    this.supportsMasking = true;
  }

  override build(inputShape: Shape | Shape[]): void {
    const channels = this.oneShape(inputShape).at(this.config.dataFormat === 'channelsFirst' ? 1 : -1);
    if (typeof channels !== 'number') {
      throw new Error(`${this.label}: the input's number of channels must be known, but is ${show(channels)}`);
    }
    const { groups } = this.config;
    this.numGroups = groups === -1 ? channels : groups;
    if (channels % this.numGroups !== 0) {
      throw new Error(`${this.label}: option 'groups' must divide the input's ${channels} channels, but got ${groups}`);
    }
    this.affine = new Affine(this.config, channels, this.weight);
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[], kwargs: object): Tensor {
    this.invokeCallHook(inputs, kwargs);
    const { epsilon, dataFormat } = this.config;
    const { numGroups, affine } = this;
    return tidy(() => op(this.one(inputs), affine.gamma, affine.beta, { numGroups, epsilon, dataFormat }));
  }
}
serialization.registerClass(GroupNorm);

/**
 * Group normalization, `[B, ..., C]` or, as `dataFormat` says, `[B, C, ...]`: `liger.groupNorm` as a layer. Keras's
 * `GroupNormalization`.
 *
 * Weights: gamma [C], beta [C].
 */
export function groupNorm(args?: GroupNormLayerArgs): GroupNorm {
  return new GroupNorm(args);
}
