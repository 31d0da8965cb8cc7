import { cast, notEqual, serialization, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { LayerVariable, Shape, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { type ConfigOf, either, flag, integer, required } from '../checks/config_schema.js';
import { embedding as op } from '../ops/embedding.js';
import { linear } from '../ops/linear.js';
import { constraint, initializer, regularizer } from './shared/keras_objects.js';
import { type LayerArgs, LigerLayer, shape } from './shared/liger_layer.js';
import { embeddingLayer, type LayerInputs, Tie } from './shared/tie.js';

const schema = {
  /** Rows of the table: the largest index plus 1. Required. */
  inputDim: required(integer(undefined, { min: 1 })),
  /** Columns of the table. Required. */
  outputDim: required(integer(undefined, { min: 1 })),
  /** Default 'randomUniform'. */
  embeddingsInitializer: initializer('randomUniform'),
  embeddingsRegularizer: regularizer(),
  embeddingsConstraint: constraint(),
  /** Whether the index 0 is padding, which layers that know masks leave out. Default false. */
  maskZero: flag(),
  /** Of the sequences, if they are all of one length; sizes, if indices have more dimensions than [B, T]. */
  inputLength: either(integer(undefined, { min: 1 }), shape()),
} as const;

/** Options of {@link embedding}. */
export interface EmbeddingLayerArgs extends LayerArgs, ConfigOf<typeof schema> {}

/** The layer that {@link embedding} makes. */
export class Embedding extends LigerLayer<typeof schema> {
  static readonly className = 'LigerEmbedding';
  private embeddings: LayerVariable | undefined;
  private reversed: ReversedEmbedding | undefined;

  constructor(args: EmbeddingLayerArgs) {
    super('layers.embedding', schema, args);
    this.supportsMasking = this.config.maskZero;
    // As the first layer of a model it need not be told its input's shape.
    const { batchSize = null, inputLength = null } = this.config;
    this.batchInputShape ??= [batchSize, ...[inputLength].flat()];
    this.dtype ??= 'float32';
  }

  override build(): void {
    const { inputDim, outputDim, embeddingsInitializer, embeddingsRegularizer, embeddingsConstraint } = this.config;
    this.embeddings = this.weight('embeddings', [inputDim, outputDim], {
      initializer: embeddingsInitializer,
      regularizer: embeddingsRegularizer,
      constraint: embeddingsConstraint,
    });
    this.built = true;
  }

  /** The rows, [inputDim, outputDim], for layers that are tied to this one. */
  get table(): Tensor {
    if (!this.embeddings) throw new Error(`${this.label}: '${this.name}' has no table before it is applied`);
    return this.embeddings.read();
  }

  /** `inputDim`: the size of the logits' last dimension where the table is used in reverse. */
  get rows(): number {
    return this.config.inputDim;
  }

  /**
   * Looks up indices, or multiplies hidden states with the transposed table.
   *
   * @param inputs Indices [...]; with `reverse` hidden states [..., outputDim].
   * @param kwargs With `reverse: true` the result is logits, [..., inputDim].
   */
  override apply(
    inputs: LayerInputs,
    kwargs?: { reverse?: boolean },
  ): Tensor | Tensor[] | SymbolicTensor | SymbolicTensor[] {
    if (!kwargs?.reverse) return super.apply(inputs, kwargs);
    // tfjs saves the arguments of a call, but does not pass them when a model runs; so the model has a layer for it.
    this.reversed ??= new ReversedEmbedding({ embedding: this });
    return this.reversed.apply(inputs);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const { inputLength, outputDim } = this.config;
    const [batch = null, ...sizes] = this.oneShape(inputShape);
    const lengths = inputLength === undefined ? sizes : [inputLength].flat();
    if (lengths.length !== sizes.length || lengths.some((length, i) => length && sizes[i] && length !== sizes[i])) {
      throw new Error(`${this.label}: 'inputLength' is [${lengths}], but the input is of shape [${[batch, ...sizes]}]`);
    }
    return [batch, ...lengths.map((length, i) => length ?? sizes[i] ?? null), outputDim];
  }

  override computeMask(inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor | Tensor[] {
    return this.config.maskZero ? notEqual(this.one(inputs), 0) : super.computeMask(inputs, mask);
  }

  override call(inputs: Tensor | Tensor[], kwargs: object): Tensor {
    this.invokeCallHook(inputs, kwargs);
    // A model's input is float32 unless it is told otherwise.
    return tidy(() => op(this.table, cast(this.one(inputs), 'int32')));
  }

  /** Indices have any number of dimensions, whatever a first layer's input is. */
  protected override warnOnIncompatibleInputShape(): void {}
}
serialization.registerClass(Embedding);

const reversedSchema = {
  /** The embedding whose table it is. It must come before this layer. Required. */
  embedding: required(embeddingLayer()),
} as const;

interface ReversedEmbeddingArgs extends LayerArgs, ConfigOf<typeof reversedSchema> {}

/** What an embedding's `apply` with `reverse` puts into a model. It has no weight of its own. */
export class ReversedEmbedding extends LigerLayer<typeof reversedSchema> {
  static readonly className = 'LigerReversedEmbedding';
  private readonly tie: Tie;

  constructor(args: ReversedEmbeddingArgs) {
    super('layers.embedding', reversedSchema, args);
    this.supportsMasking = true;
    this.tie = new Tie(this.label, this.config.embedding);
  }

  override apply(inputs: LayerInputs, kwargs?: object): Tensor | Tensor[] | SymbolicTensor | SymbolicTensor[] {
    this.tie.follow(inputs);
    return super.apply(inputs, kwargs);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return [...this.oneShape(inputShape).slice(0, -1), this.tie.embedding.rows];
  }

  override call(inputs: Tensor | Tensor[], kwargs: object): Tensor {
    this.invokeCallHook(inputs, kwargs);
    return linear(this.one(inputs), this.tie.embedding.table);
  }
}
serialization.registerClass(ReversedEmbedding);

/**
 * The rows of a table at some indices, `[...]` to `[..., outputDim]`: `liger.embedding` as a layer. Keras's `Embedding`.
 *
 * `apply(hidden, { reverse: true })` multiplies hidden states [..., outputDim] with the transposed table and gives logits
 * [..., inputDim], as `ReversibleEmbedding` of KerasHub does: an output layer that is tied to its input. In a model it must
 * come after the lookup.
 *
 * Weights: embeddings [inputDim, outputDim].
 */
export function embedding(args: EmbeddingLayerArgs): Embedding {
  return new Embedding(args);
}
