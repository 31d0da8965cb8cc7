import type { DataType, serialization, Tensor } from '@tensorflow/tfjs-core';
import { type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import {
  type ConfigOf,
  type ConfigSchema,
  defaultsOf,
  flag,
  integer,
  isRequired,
  type Option,
  type ResolvedConfig,
  resolveConfig,
  text,
} from '../../checks/config_schema.js';
import { fail, show } from '../../checks/errors.js';
import {
  type Constraint,
  constraintOf,
  type Initializer,
  initializerOf,
  type KerasObject,
  type Regularizer,
  regularizerOf,
  saved,
} from './keras_objects.js';
import { biasOf, kernelOf } from './kernel_options.js';
import type { Projection, ProjectionOptions } from './projection.js';
import { StackedInitializer } from './stacked_initializer.js';

/** A shape without the batch, or with it; null stands for any size. */
export const shape = (): Option<Shape | undefined> => ({
  default: undefined,
  expected: 'an array of sizes, or null for any',
  accepts: (value) => Array.isArray(value) && value.every((size) => size === null || Number.isSafeInteger(size)),
});

const tensors = (): Option<Tensor[] | undefined> => ({
  default: undefined,
  expected: 'an array of tensors',
  accepts: Array.isArray,
});

/** What tfjs's layers take, every one. */
export const layerSchema = {
  /** Of the input without the batch, for the first layer of a model. */
  inputShape: shape(),
  /** With the batch. */
  batchInputShape: shape(),
  /** The batch of `inputShape`. Default: any. */
  batchSize: integer(undefined, { min: 1 }),
  /** Of the input of a first layer. Default 'float32'. */
  dtype: text() as Option<DataType | undefined>,
  /** Unique within a model. Default: made of the class's name and a number. */
  name: text(),
  /** Whether `fit` updates the weights. Default true. */
  trainable: flag(true),
  /** What the weights are at first. */
  weights: tensors(),
  /** What saved models of old have for `dtype`. */
  inputDType: text() as Option<DataType | undefined>,
} as const;

/** Options of every layer, as tfjs has them. */
export interface LayerArgs extends ConfigOf<typeof layerSchema> {}

/** The options of a layer with every default filled in, those that all layers have included. */
export type LayerConfig<S extends ConfigSchema> = ResolvedConfig<S> & ResolvedConfig<typeof layerSchema>;

/** How a weight is made and kept: as Keras's arguments have it. */
export interface WeightOptions {
  readonly initializer: KerasObject<Initializer>;
  readonly regularizer?: KerasObject<Regularizer> | undefined;
  readonly constraint?: KerasObject<Constraint> | undefined;
  /** For a matrix [out, in]: initializers count what goes in and out of Keras's [in, out]. Default false. */
  readonly isTransposed?: boolean;
}

export type AddWeight = (name: string, size: Shape, options: WeightOptions) => LayerVariable;

/** A layer of tfjs that is declared by the schema of its options: they are checked, and saved with a model. */
export abstract class LigerLayer<S extends ConfigSchema> extends layers.Layer {
  protected readonly config: LayerConfig<S>;

  /**
   * @param label Names the layer in errors.
   * @param schema Its own options.
   */
  constructor(
    protected readonly label: string,
    private readonly schema: S,
    args: object | undefined,
  ) {
    const all = { ...layerSchema, ...schema };
    const config = resolveConfig(label, all, defaultsOf(all), args) as LayerConfig<S>;
    for (const [name, option] of Object.entries(schema)) {
      if (isRequired(option) && config[name] === undefined) fail(label, `option '${name}'`, option.expected, undefined);
    }
    super(Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)));
    this.config = config;
  }

  /** Adds a float32 weight that `fit` updates. */
  protected readonly weight: AddWeight = (name, size, options) => {
    const { initializer, isTransposed } = options;
    return this.addWeight(
      name,
      size,
      'float32',
      isTransposed ? new StackedInitializer(initializer, [size[0]!]) : initializerOf(initializer),
      regularizerOf(options.regularizer),
      true,
      constraintOf(options.constraint),
    );
  };

  /** The weights of linear layers upon one another, of `inputs` numbers each: a kernel [out, in], and a bias if there is one. */
  protected projection(
    name: string,
    inputs: number,
    outputs: readonly number[],
    options: ProjectionOptions,
  ): Projection {
    const size = outputs.reduce((sum, output) => sum + output, 0);
    const kernel = this.weight(`${name}_kernel`, [size, inputs], {
      ...kernelOf(options),
      initializer: new StackedInitializer(options.kernelInitializer, outputs),
    });
    if (!options.useBias) return { kernel };
    return { kernel, bias: this.weight(`${name}_bias`, [size], biasOf(options)) };
  }

  /** Makes a layer of what `getConfig` gave. tfjs adds `customObjects`, and has null for what was not given. */
  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    { customObjects: _, ...config }: serialization.ConfigDict,
  ): T {
    return new cls(Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null)));
  }

  override getConfig(): serialization.ConfigDict {
    const own = Object.keys(this.schema).map((key) => [key, saved(this.config[key])] as const);
    return { ...super.getConfig(), ...Object.fromEntries(own.filter(([, value]) => value !== undefined)) };
  }

  /** The one tensor that a layer of one input is called with. */
  protected one(inputs: Tensor | Tensor[]): Tensor {
    if (!Array.isArray(inputs)) return inputs;
    if (inputs.length !== 1) throw new Error(`${this.label}: takes one input, but got ${inputs.length}`);
    return inputs[0]!;
  }

  /** The shapes that a layer of one or more inputs is built for. */
  protected shapes(inputShape: Shape | Shape[]): Shape[] {
    return (Array.isArray(inputShape[0]) ? inputShape : [inputShape]) as Shape[];
  }

  /** The one shape that a layer of one input is built for. */
  protected oneShape(inputShape: Shape | Shape[]): Shape {
    const [shape, ...others] = this.shapes(inputShape);
    if (others.length > 0) throw new Error(`${this.label}: takes one input, but got ${others.length + 1}`);
    return shape!;
  }

  /** The last dimension of the input, which weights depend on. */
  protected lastDimension(inputShape: Shape | Shape[]): number {
    const size = this.oneShape(inputShape).at(-1);
    if (typeof size !== 'number') {
      throw new Error(`${this.label}: the input's last dimension must be known, but is ${show(size)}`);
    }
    return size;
  }
}
