import { serialization, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { InputSpec, type Shape } from '@tensorflow/tfjs-layers';
import { type ConfigOf, flag, integer, number, required } from '../checks/config_schema.js';
import { flashAttention } from '../ops/flash_attention.js';
import { Attention, type AttentionCallArgs, attentionSchema, rotary } from './shared/attention.js';
import { type LayerArgs, LigerLayer } from './shared/liger_layer.js';
import { type Projection, project, projectionSchema } from './shared/projection.js';

const schema = {
  ...attentionSchema,
  /** Floats of a head D, of queries, keys and values: at most 256. */
  keyDim: required(integer(undefined, { min: 1, max: 256 })),
  /** Whether a query sees no keys after its own place. Default false. */
  causal: flag(),
  /** The base of the angles by which queries and keys are rotated, such as 10000; false for none. Default false. */
  rotary: rotary(false),
  /** The share of attention weights that are dropped in training. Default 0. */
  dropout: number(0, { min: 0, max: 1, below: true }),
  /** The result's last dimension. Default the query's. */
  outputShape: integer(undefined, { min: 1 }),
  ...projectionSchema,
} as const;

/** Options of {@link multiHeadAttention}. */
export interface MultiHeadAttentionLayerArgs extends LayerArgs, ConfigOf<typeof schema> {}

/** The layer that {@link multiHeadAttention} makes. */
export class MultiHeadAttention extends LigerLayer<typeof schema> {
  static readonly className = 'LigerMultiHeadAttention';
  private readonly attention: Attention;
  /** Of queries, keys and values, where one input has them all. */
  private packed: Projection | undefined;
  /** Of each, otherwise. */
  private separate: Readonly<Record<'query' | 'key' | 'value', Projection>> | undefined;
  private result!: Projection;

  constructor(args: MultiHeadAttentionLayerArgs) {
    super('layers.multiHeadAttention', schema, args);
    this.supportsMasking = true;
    this.attention = new Attention(this.label, this.config, this.config.keyDim);
  }

  override build(inputShape: Shape | Shape[]): void {
    const shapes = this.shapes(inputShape);
    if (shapes.length > 3) throw new Error(`${this.label}: takes one to three inputs, but got ${shapes.length}`);
    const [query, value, key = value] = shapes.map((shape) => this.lastDimension(shape));
    const sizes = this.attention.packedSizes;
    if (value === undefined || key === undefined) {
      this.packed = this.projection('query_key_value', query!, sizes, this.config);
    } else {
      this.separate = {
        query: this.projection('query', query!, [sizes[0]], this.config),
        key: this.projection('key', key, [sizes[1]], this.config),
        value: this.projection('value', value, [sizes[2]], this.config),
      };
    }
    this.result = this.projection('output', sizes[0], [this.config.outputShape ?? query!], this.config);
    this.inputSpec = shapes.map((shape) => new InputSpec({ ndim: 3, axes: { [-1]: shape.at(-1)! } }));
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[], kwargs: AttentionCallArgs): Tensor {
    this.invokeCallHook(inputs, kwargs);
    return tidy(() => project(this.result, this.attend(Array.isArray(inputs) ? inputs : [inputs], kwargs)));
  }

  override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor {
    return (Array.isArray(mask) ? mask[0] : mask) as Tensor;
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const query = this.shapes(inputShape)[0]!;
    return [...query.slice(0, -1), this.config.outputShape ?? query.at(-1)!];
  }

  protected override disposeWeights(): number {
    this.attention.dispose();
    return super.disposeWeights();
  }

  private attend([query, value, key = value]: Tensor[], kwargs: AttentionCallArgs): Tensor {
    const { packed, separate, attention } = this;
    const masks = Array.isArray(kwargs.mask) ? kwargs.mask : [kwargs.mask];
    if (packed) {
      const padding = masks[0] ?? query!.kerasMask;
      return flashAttention(project(packed, query!), attention.config(query!.shape[1]!, kwargs, padding, true));
    }
    // Of several inputs' masks, a model that is called by itself passes on the first one alone.
    const padding = masks[1] ?? value!.kerasMask;
    const length = Math.max(query!.shape[1]!, value!.shape[1]!);
    const { query: toQuery, key: toKey, value: toValue } = separate!;
    return flashAttention(
      project(toQuery, query!),
      project(toKey, key!),
      project(toValue, value!),
      attention.config(length, kwargs, padding, false),
    );
  }
}
serialization.registerClass(MultiHeadAttention);

/**
 * Attention between projections of its inputs, and a projection of what it gives: `liger.flashAttention` as a layer. Keras's
 * `MultiHeadAttention`, with grouped heads, windows and rotary position embedding.
 *
 * Called with one tensor `[B, T, C]`, or a list of it, tokens attend to each other: queries, keys and values are one projection,
 * which nothing slices. Called with `[query, value]` or `[query, value, key]`, each has a projection of its own; with `causal`, the
 * last query's place is then the last key's.
 *
 * A call with tensors may be given {@link AttentionCallArgs}. A mask that a layer before has computed is passed on, too: of one
 * input by every model, of the values among several inputs where they come from the layer that made the mask, or in a model within
 * a model. Keys that are masked are never seen; what a masked query gives is of no use.
 *
 * Weights, with D = `keyDim`, as the linear layers of checkpoints have them: query_key_value_kernel
 * [(numHeads + 2 numKeyValueHeads) · D, C], query_key_value_bias; of several inputs query_kernel [numHeads · D, C], key_kernel and
 * value_kernel [numKeyValueHeads · D, C], and a bias after each. Then output_kernel [outputShape, numHeads · D], output_bias.
 *
 * Of Keras's arguments `valueDim`, which is `keyDim` here, and `attentionAxes` are not there, and `outputShape` is a number.
 */
export function multiHeadAttention(args: MultiHeadAttentionLayerArgs): MultiHeadAttention {
  return new MultiHeadAttention(args);
}
