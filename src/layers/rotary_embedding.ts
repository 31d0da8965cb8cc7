import { expandDims, reshape, serialization, slice, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { Shape } from '@tensorflow/tfjs-layers';
import { type ConfigOf, integer, number } from '../checks/config_schema.js';
import { rope } from '../ops/rope.js';
import { type LayerArgs, LigerLayer } from './shared/liger_layer.js';
import { RotaryTables } from './shared/rotary_tables.js';

const schema = {
  /** The base of the angles: `rope_theta` in a config.json. Default 10000. */
  maxWavelength: number(10000, { min: 0, above: true }),
  /** What places are divided by. Default 1. */
  scalingFactor: number(1, { min: 0, above: true }),
  /** Which dimension of the input is the sequence: 1, or 2 behind that of heads. Default 1. */
  sequenceAxis: integer(1, { min: 1, max: 2 }),
} as const;

/** Options of {@link rotaryEmbedding}. */
export interface RotaryEmbeddingLayerArgs extends LayerArgs, ConfigOf<typeof schema> {}

/** What a call of {@link rotaryEmbedding} with tensors may be given. A model of tfjs does not pass it on. */
export interface RotaryEmbeddingCallArgs {
  /** The place of the first token, such as the number of those in a cache. Default 0. */
  startIndex?: number;
}

/** The layer that {@link rotaryEmbedding} makes. */
export class RotaryEmbedding extends LigerLayer<typeof schema> {
  static readonly className = 'LigerRotaryEmbedding';
  private tables!: RotaryTables;

  constructor(args?: RotaryEmbeddingLayerArgs) {
    super('layers.rotaryEmbedding', schema, args);
    this.supportsMasking = true;
  }

  override build(inputShape: Shape | Shape[]): void {
    const { maxWavelength, scalingFactor, sequenceAxis } = this.config;
    const { length: rank } = this.oneShape(inputShape);
    if (rank !== 4 && !(rank === 3 && sequenceAxis === 1)) {
      const expected = sequenceAxis === 1 ? '[B, T, D] or [B, T, heads, D]' : '[B, heads, T, D]';
      throw new Error(`${this.label}: the input must be ${expected}, but has ${rank} dimensions`);
    }
    const size = this.lastDimension(inputShape);
    if (size % 2 !== 0) throw new Error(`${this.label}: the input's last dimension must be even, but is ${size}`);
    this.tables = new RotaryTables(size, maxWavelength, scalingFactor);
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[], kwargs: RotaryEmbeddingCallArgs): Tensor {
    this.invokeCallHook(inputs, kwargs);
    return tidy(() => {
      const x = this.one(inputs);
      const { sequenceAxis } = this.config;
      const { cos, sin } = this.tables.get(x.shape[sequenceAxis]!, kwargs.startIndex);
      const q = x.rank === 4 ? x : expandDims(x, 2);
      // The op rotates queries and keys, and there are no keys: one head is the least that it takes.
      const oneHead = q.shape.map((size, i) => (i === 3 - sequenceAxis ? 1 : size));
      const k = slice(q, [0, 0, 0, 0], oneHead);
      return reshape(rope(q, k, cos, sin, { layout: sequenceAxis === 1 ? 'bthd' : 'bhtd' }).q, x.shape);
    });
  }

  protected override disposeWeights(): number {
    this.tables.dispose();
    return super.disposeWeights();
  }
}
serialization.registerClass(RotaryEmbedding);

/**
 * Rotary position embedding by halves, of queries or of keys: `liger.rope` of one tensor as a layer. Keras Hub's
 * `RotaryEmbedding`, whose `featureAxis` is the last one here. Within {@link multiHeadAttention} the option `rotary` does it at less
 * cost.
 *
 * Takes `[B, T, heads, D]`, `[B, T, D]`, or, with a `sequenceAxis` of 2, `[B, heads, T, D]`, D even, and gives the same shape. A
 * call with tensors may be given {@link RotaryEmbeddingCallArgs}. It has no weights.
 */
export function rotaryEmbedding(args?: RotaryEmbeddingLayerArgs): RotaryEmbedding {
  return new RotaryEmbedding(args);
}
