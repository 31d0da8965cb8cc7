/**
 * What tfjs-layers has and does not export: its classes, which it registers for saved models, and members of theirs. This is the
 * one file that names them, so that nothing imports tfjs-layers, which a program may be without.
 */
import { type Optimizer, SGDOptimizer, serialization, type Tensor } from '@tensorflow/tfjs-core';

export type Inputs = Tensor | Tensor[];
/** What a layer is called with beside its inputs. */
export type Kwargs = Readonly<Record<string, unknown>>;

interface Readable {
  read(): Tensor;
}

export interface Activation {
  apply(x: Tensor, axis?: number): Tensor;
  getClassName(): string;
}

export interface Layer {
  readonly name: string;
  readonly inboundNodes: readonly object[];
  readonly outboundNodes: readonly object[];
  readonly activityRegularizer?: object | null;
  readonly trainable: boolean;
  built: boolean;
  readonly weights: object[];
  readonly trainableWeights: object[];
  readonly nonTrainableWeights: object[];
  build(inputShape: unknown): void;
  apply(inputs: Inputs, kwargs?: Kwargs): Tensor;
  call(inputs: Inputs, kwargs: Kwargs): Inputs;
  invokeCallHook(inputs: Inputs, kwargs: Kwargs): void;
  getClassName(): string;
}

export interface ActivationLayer extends Layer {
  activation: Activation;
}

export interface SoftmaxLayer extends Layer {
  softmax: Activation['apply'];
  readonly axis: number | number[];
}

export interface DenseLayer extends ActivationLayer {
  readonly kernel: Readable;
  readonly bias: Readable | null;
}

export interface EmbeddingLayer extends Layer {
  readonly embeddings: Readable;
}

export interface LayerNormalizationLayer extends Layer {
  readonly axis: number | number[];
  readonly epsilon: number;
  readonly gamma: Readable | null;
  readonly beta: Readable | null;
}

export interface MultiHeadAttentionLayer extends Layer {
  readonly numHeads: number;
  readonly builtFromSignature: boolean;
  readonly queryDense: Layer;
  readonly keyDense: Layer;
  readonly valueDense: Layer;
  readonly outputDense: Layer;
  buildFromSignature(query: number[], value: number[], key: number[] | null): void;
  /** The dimensions that are attended along. */
  readonly attentionAxes?: readonly number[];
  readonly keyDim: number;
  readonly valueDim: number;
  readonly dropout: number;
  /** Given [B, T, N, D] and a mask [B, T, S], gives the output and the scores. */
  computeAttention(query: Tensor, key: Tensor, value: Tensor, mask?: Tensor, training?: boolean): [Tensor, Tensor];
}

/** What the decoder attends with. */
export interface CachedMultiHeadAttentionLayer extends MultiHeadAttentionLayer {
  callAndReturnCache(
    query: Tensor,
    options: { value: Tensor; key?: Tensor; attentionMask?: Tensor; cache?: Tensor; cacheUpdateIndex?: number },
  ): [Tensor, Tensor | undefined];
}

export interface TransformerDecoderLayer extends Layer {
  readonly selfAttentionLayer: Layer;
  readonly selfAttentionLayernorm: Layer;
  readonly feedforwardIntermediateDense: Layer;
  readonly feedforwardOutputDense: Layer;
  readonly feedforwardLayernorm: Layer;
}

/** One that has another inside, such as TimeDistributed. */
export interface WrapperLayer extends Layer {
  readonly layer: Layer;
}

export type LossOrMetric = (target: Tensor, output: Tensor) => Tensor;
type BatchFunction = (data: Tensor[]) => Tensor[];

export interface Model extends Layer {
  readonly layers: readonly Layer[];
  readonly outputs: ReadonlyArray<{ readonly shape: readonly unknown[] }>;
  readonly outputLayers: readonly Layer[];
  lossFunctions?: LossOrMetric[];
  /** What is measured, and the number of the output that it is measured of. */
  metricsTensors?: Array<[LossOrMetric, number]>;
  readonly optimizer_?: Optimizer;
  testFunction?: BatchFunction;
  makeTrainFunction(): BatchFunction;
  makeTestFunction(): void;
  compile(args: object): void;
}

/** A model that has made another one of its layers, once it is built. */
export interface SequentialModel extends Model {
  readonly model?: Model;
}

interface Class<T> {
  readonly prototype: T;
  new (...args: never[]): T;
}

/** A class of tfjs-layers, if that was loaded: by its name in saved models. */
export const classNamed = <T>(name: string): Class<T> | undefined =>
  serialization.SerializationMap.getMap().classNameMap[name]?.[0] as unknown as Class<T> | undefined;

export const isModel = (layer: object): layer is Model => 'makeTrainFunction' in layer && 'layers' in layer;

export const isSequential = (model: Model): model is SequentialModel => model.getClassName() === 'Sequential';

export const isWrapper = (layer: object): layer is WrapperLayer =>
  'layer' in layer && typeof layer.layer === 'object' && layer.layer !== null && 'call' in layer.layer;

/** The function that compiling by a loss's name gives. */
export function lossNamed(name: string): LossOrMetric | undefined {
  const stub = { outputs: [null], outputNames: ['y'], internalOutputShapes: [[null, 2]], trainableWeights: [] };
  const model = stub as Partial<Pick<Model, 'lossFunctions'>>;
  const optimizer = new SGDOptimizer(0);
  classNamed<Model>('Model')?.prototype.compile.call(model as Model, { loss: name, optimizer });
  optimizer.dispose();
  return model.lossFunctions?.[0];
}
