import { cast, clone, div, mul, type Scalar, serialization, squeeze, Tensor, tanh, tidy } from '@tensorflow/tfjs-core';
import type { LayerVariable, Shape, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { type ConfigOf, flag, integer } from '../checks/config_schema.js';
import { show } from '../checks/errors.js';
import { crossEntropy } from '../ops/cross_entropy.js';
import { fusedLinearCrossEntropy as op } from '../ops/fused_linear_cross_entropy.js';
import { linear } from '../ops/linear.js';
import { chunkedLinearOptions } from '../ops/shared/chunked_linear.js';
import { crossEntropyOptions } from '../ops/shared/cross_entropy_options.js';
import { biasOf, biasSchema, kernelOf, kernelSchema } from './shared/kernel_options.js';
import { type LayerArgs, LigerLayer } from './shared/liger_layer.js';
import { embeddingLayer, type LayerInputs, Tie } from './shared/tie.js';

const schema = {
  /** Size of the vocabulary, V. Required without `embedding`. */
  units: integer(undefined, { min: 1 }),
  /** An {@link embedding} layer whose table is the weight. It must come before this layer, which then has none of its own. */
  embedding: embeddingLayer(),
  /** Whether there is a bias. Default false. */
  useBias: flag(),
  ...kernelSchema,
  ...biasSchema,
  /** Labels with this value don't count. Default -100. */
  ignoreIndex: crossEntropyOptions.ignoreIndex,
  /** How much of the target is spread evenly over all classes, in [0, 1]. Default 0. */
  labelSmoothing: crossEntropyOptions.labelSmoothing,
  /** Factor of the z-loss, lse², which is added to the loss (PaLM). Default 0. */
  lseSquareScale: crossEntropyOptions.lseSquareScale,
  /** Caps logits smoothly: softcap · tanh(logits / softcap), as Gemma 2 does. Default none. */
  softcap: crossEntropyOptions.softcap,
  /** Tokens whose logits exist at once in training. By default as `liger.fusedLinearCrossEntropy` chooses. */
  chunkSize: chunkedLinearOptions.chunkSize,
} as const;

/** Options of {@link fusedLinearCrossEntropy}. */
export interface FusedLinearCrossEntropyLayerArgs extends LayerArgs, ConfigOf<typeof schema> {}

/** A loss or a metric, as `model.compile` takes them. */
export type LossFunction = (labels: Tensor, output: Tensor) => Scalar;

/** The layer that {@link fusedLinearCrossEntropy} makes. */
export class FusedLinearCrossEntropy extends LigerLayer<typeof schema> {
  static readonly className = 'LigerFusedLinearCrossEntropy';
  private readonly tie: Tie | undefined;
  /** [V, H] */
  private kernel: LayerVariable | undefined;
  /** [V] */
  private bias: LayerVariable | undefined;

  /** The layer's outputs that are hidden states. */
  private readonly hidden = new WeakSet<Tensor>();
  /** Whether someone asked for the metric. */
  private isMeasured = false;
  /** Accuracies that were computed with the loss of an output. */
  private readonly accuracies = new WeakMap<Tensor, { labels: Tensor; accuracy: Scalar }>();

  constructor(args: FusedLinearCrossEntropyLayerArgs) {
    super('layers.fusedLinearCrossEntropy', schema, args);
    this.supportsMasking = true;
    const { embedding, units } = this.config;
    if ((units === undefined) === (embedding === undefined)) {
      throw new Error(`${this.label}: takes either option 'units' or option 'embedding'`);
    }
    if (embedding) this.tie = new Tie(this.label, embedding);
  }

  override apply(inputs: LayerInputs, kwargs?: object): Tensor | Tensor[] | SymbolicTensor | SymbolicTensor[] {
    this.tie?.follow(inputs);
    return super.apply(inputs, kwargs);
  }

  override build(inputShape: Shape | Shape[]): void {
    const { units, useBias } = this.config;
    if (units !== undefined) {
      this.kernel = this.weight('weight', [units, this.lastDimension(inputShape)], {
        ...kernelOf(this.config),
        isTransposed: true,
      });
    }
    if (useBias) this.bias = this.weight('bias', [this.classes], biasOf(this.config));
    this.built = true;
  }

  /** The last dimension is any: tfjs compares labels with this, and theirs is 1 where the logits' is V. */
  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return [...this.oneShape(inputShape).slice(0, -1), null];
  }

  override call(inputs: Tensor | Tensor[], kwargs: { training?: boolean }): Tensor {
    this.invokeCallHook(inputs, kwargs);
    const x = this.one(inputs);
    if (kwargs.training) {
      // Not x itself: `apply` would return a copy of it, which is not the tensor that is noted here.
      const hidden = clone(x);
      this.hidden.add(hidden);
      return hidden;
    }
    return tidy(() => {
      const logits = linear(x, this.matrix, { bias: this.bias?.read() });
      const { softcap } = this.config;
      return softcap === undefined ? logits : mul(tanh(div(logits, softcap)), softcap);
    });
  }

  /**
   * The loss for `model.compile`: the mean over the labels that count.
   *
   * @param labels [..., 1] or [...], int32 or float32.
   * @param output What this layer returned: hidden states in training, logits otherwise.
   */
  readonly loss: LossFunction = (labels, output) => {
    const { loss, accuracy } = this.measure(labels, output, this.isMeasured);
    if (accuracy) this.accuracies.set(output, { labels, accuracy });
    return loss;
  };

  /**
   * A metric for `model.compile`: the share of the labels that count whose logit is the largest. From when it is asked for, it is
   * computed with the loss: by itself it would take the logits once more.
   */
  get accuracy(): LossFunction {
    this.isMeasured = true;
    return this.metric.accuracy;
  }

  /** tfjs calls a metric by its function's name. */
  private readonly metric: { readonly accuracy: LossFunction } = {
    accuracy: (labels, output) => {
      const known = this.accuracies.get(output);
      if (known?.labels === labels && !known.accuracy.isDisposed) return known.accuracy;
      return tidy(() => this.measure(labels, output, true).accuracy!);
    },
  };

  private measure(
    labels: Tensor,
    output: Tensor,
    withAccuracy: boolean,
  ): { loss: Scalar; accuracy?: Scalar | undefined } {
    const { ignoreIndex, labelSmoothing, lseSquareScale, softcap, chunkSize } = this.config;
    const options = { ignoreIndex, labelSmoothing, lseSquareScale, returnTokenAccuracy: withAccuracy };
    const isHidden = this.hidden.has(output);
    if (!isHidden && output.shape.at(-1) !== this.classes) {
      throw new Error(`${this.label}: the loss is of what the layer returned, but got ${show(output)}`);
    }
    return tidy(() => {
      const classes = cast(labels.rank === output.rank ? squeeze(labels, [-1]) : labels, 'int32');
      const result = isHidden
        ? op(output, this.matrix, classes, { ...options, softcap, chunkSize, bias: this.bias?.read() })
        : crossEntropy(output, classes, options); // of logits that are capped already
      return result instanceof Tensor ? { loss: result } : { loss: result.loss, accuracy: result.tokenAccuracy };
    });
  }

  /** [V, H] */
  private get matrix(): Tensor {
    return this.tie?.embedding.table ?? this.kernel!.read();
  }

  /** V */
  private get classes(): number {
    return this.tie?.embedding.rows ?? this.config.units!;
  }
}
serialization.registerClass(FusedLinearCrossEntropy);

/**
 * The output layer of a language model with its loss, `[..., H]` to `[..., V]`, which trains without ever holding the logits:
 * `liger.fusedLinearCrossEntropy` as a layer. In the place of Keras's `Dense(V)` and `SparseCategoricalCrossentropy`:
 *
 *     const head = layers.fusedLinearCrossEntropy({ units: V });
 *     const model = tf.model({ inputs: tokens, outputs: head.apply(hidden) });
 *     model.compile({ optimizer: 'adam', loss: head.loss, metrics: [head.accuracy] });
 *     await model.fit(x, labels); // labels [B, T, 1], int32 or float32
 *
 * In training the layer passes hidden states on, and `head.loss` makes loss and gradients of them. `predict` and `evaluate` have
 * logits. So nothing may follow it in a model, and with another loss the model does not train.
 *
 * Labels end with a dimension of 1, as tfjs wants them for its own `sparseCategoricalCrossentropy`, too; `fitDataset` takes them
 * without. Masks don't reach losses in tfjs: padding has the label `ignoreIndex`. `classWeight` of `fit` is for losses that are not
 * yet means, and has no use here.
 *
 * tfjs saves no losses: compile a loaded model with `loaded.getLayer(name)`, which has `loss` and `accuracy`.
 *
 * Weights: weight [V, H], the layout of a checkpoint, unless there is an `embedding`; bias [V] with `useBias`.
 */
export function fusedLinearCrossEntropy(args: FusedLinearCrossEntropyLayerArgs): FusedLinearCrossEntropy {
  return new FusedLinearCrossEntropy(args);
}
