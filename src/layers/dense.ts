import { serialization, type Tensor } from '@tensorflow/tfjs-core';
import type { LayerVariable, Shape } from '@tensorflow/tfjs-layers';
import { type ConfigOf, flag, integer, oneOf, required } from '../checks/config_schema.js';
import { type LinearConfig, linear } from '../ops/linear.js';
import { biasOf, biasSchema, kernelOf, kernelSchema } from './shared/kernel_options.js';
import { type LayerArgs, LigerLayer } from './shared/liger_layer.js';

const schema = {
  /** Size of the output's last dimension. Required. */
  units: required(integer(undefined, { min: 1 })),
  /** 'linear', which is none, 'relu', 'gelu' (exact), 'geluTanh' (its approximation by tanh), 'silu' or 'swish' (the same). Default 'linear'. */
  activation: oneOf(['linear', 'relu', 'gelu', 'geluTanh', 'silu', 'swish'], 'linear'),
  /** Whether there is a bias. Default true. */
  useBias: flag(true),
  ...kernelSchema,
  ...biasSchema,
} as const;

/** Options of {@link dense}. */
export interface DenseLayerArgs extends LayerArgs, ConfigOf<typeof schema> {}

/** The layer that {@link dense} makes. */
export class Dense extends LigerLayer<typeof schema> {
  static readonly className = 'LigerDense';
  /** [I, units] */
  private kernel!: LayerVariable;
  /** [units] */
  private bias: LayerVariable | undefined;

  constructor(args: DenseLayerArgs) {
    super('layers.dense', schema, args);
    this.supportsMasking = true;
  }

  override build(inputShape: Shape | Shape[]): void {
    const { units, useBias } = this.config;
    this.kernel = this.weight('kernel', [this.lastDimension(inputShape), units], kernelOf(this.config));
    if (useBias) this.bias = this.weight('bias', [units], biasOf(this.config));
    this.built = true;
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return [...this.oneShape(inputShape).slice(0, -1), this.config.units];
  }

  override call(inputs: Tensor | Tensor[], kwargs: object): Tensor {
    this.invokeCallHook(inputs, kwargs);
    return linear(this.one(inputs), this.kernel.read(), {
      bias: this.bias?.read(),
      activation: opActivation(this.config.activation),
      transposeWeight: true,
    });
  }
}
serialization.registerClass(Dense);

/** An activation as the op has it. */
function opActivation(name: DenseLayerArgs['activation']): LinearConfig['activation'] {
  if (name === 'linear') return 'none';
  return name === 'swish' ? 'silu' : name;
}

/**
 * A linear layer, `[..., I]` to `[..., units]`, with bias and activation applied as the product is stored: `liger.linear`
 * as a layer. Keras's `Dense`, with its defaults: tfjs's own `dense` begins with 'glorotNormal'.
 *
 * Weights: kernel [I, units], bias [units].
 */
export function dense(args: DenseLayerArgs): Dense {
  return new Dense(args);
}
