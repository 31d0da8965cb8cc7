import { add, serialization, type Tensor, dropout as tfDropout, tidy } from '@tensorflow/tfjs-core';
import { InputSpec, type LayerVariable, type Shape } from '@tensorflow/tfjs-layers';
import { type ConfigOf, flag, integer, number, oneOf, required } from '../checks/config_schema.js';
import { flashAttention } from '../ops/flash_attention.js';
import { fusedAddRmsNorm } from '../ops/fused_add_rms_norm.js';
import { geglu } from '../ops/geglu.js';
import { layerNorm } from '../ops/layer_norm.js';
import { rmsNorm } from '../ops/rms_norm.js';
import { swiglu } from '../ops/swiglu.js';
import { swigluMlp } from '../ops/swiglu_mlp.js';
import { Attention, type AttentionCallArgs, attentionSchema, rotary } from './shared/attention.js';
import { type LayerArgs, LigerLayer } from './shared/liger_layer.js';
import { type Projection, project, projectionSchema } from './shared/projection.js';

const schema = {
  ...attentionSchema,
  /** The feed-forward block's size I. */
  intermediateSize: required(integer(undefined, { min: 1 })),
  /** Floats of a head D, at most 256. Default C / numHeads. */
  keyDim: integer(undefined, { min: 1, max: 256 }),
  /** Gated, 'swiglu' or 'geglu', or of one linear layer, 'gelu' (exact), 'geluTanh' (as GPT-2 has it) or 'relu'. Default 'swiglu'. */
  activation: oneOf(['swiglu', 'geglu', 'gelu', 'geluTanh', 'relu'], 'swiglu'),
  /** 'rmsNorm' as in Llama, or 'layerNorm' as in GPT-2. Default 'rmsNorm'. */
  normalization: oneOf(['rmsNorm', 'layerNorm'], 'rmsNorm'),
  /** Added to the mean square, or to the variance, before the root. Default 1e-6. */
  epsilon: number(1e-6, { min: 0 }),
  /** Whether a token sees none after it. Default true. */
  causal: flag(true),
  /** The base of the angles by which queries and keys are rotated; false for none. Default 10000. */
  rotary: rotary(10000),
  /** The share of attention weights, and of what is added to the residual stream, that is dropped in training. Default 0. */
  dropout: number(0, { min: 0, max: 1, below: true }),
  ...projectionSchema,
  /** Whether linear layers have a bias. Default false. */
  useBias: flag(false),
} as const;

/** Options of {@link transformerBlock}. */
export interface TransformerBlockLayerArgs extends LayerArgs, ConfigOf<typeof schema> {}

interface Norm {
  /** [C] */
  readonly gamma: LayerVariable;
  /** [C], of layerNorm. */
  readonly beta: LayerVariable | undefined;
}

/** What a block is made of once it knows its input's size. */
interface Parts {
  readonly attention: Attention;
  readonly attentionNorm: Norm;
  readonly queryKeyValue: Projection;
  readonly output: Projection;
  readonly mlpNorm: Norm;
  readonly gate: Projection | undefined;
  readonly up: Projection;
  readonly down: Projection;
}

/** The layer that {@link transformerBlock} makes. */
export class TransformerBlock extends LigerLayer<typeof schema> {
  static readonly className = 'LigerTransformerBlock';
  private parts!: Parts;

  constructor(args: TransformerBlockLayerArgs) {
    super('layers.transformerBlock', schema, args);
    this.supportsMasking = true;
  }

  override build(inputShape: Shape | Shape[]): void {
    const { config } = this;
    const size = this.lastDimension(inputShape);
    const { numHeads, keyDim = size / numHeads, activation, intermediateSize } = config;
    if (!Number.isInteger(keyDim)) {
      throw new Error(
        `${this.label}: without keyDim the input's ${size} floats must be a multiple of ${numHeads} heads`,
      );
    }
    const attention = new Attention(this.label, config, keyDim);
    const sizes = attention.packedSizes;
    const isGated = activation === 'swiglu' || activation === 'geglu';
    // In the order in which they are applied, which is that of getWeights.
    this.parts = {
      attention,
      attentionNorm: this.norm('attention_norm', size),
      queryKeyValue: this.projection('query_key_value', size, sizes, config),
      output: this.projection('output', sizes[0], [size], config),
      mlpNorm: this.norm('mlp_norm', size),
      gate: isGated ? this.projection('gate', size, [intermediateSize], config) : undefined,
      up: this.projection('up', size, [intermediateSize], config),
      down: this.projection('down', intermediateSize, [size], config),
    };
    this.inputSpec = [new InputSpec({ ndim: 3, axes: { [-1]: size } })];
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[], kwargs: AttentionCallArgs): Tensor {
    this.invokeCallHook(inputs, kwargs);
    return tidy(() => {
      const { attentionNorm, mlpNorm } = this.parts;
      const x = this.one(inputs);
      const attended = this.drop(this.attend(this.normalized(x, attentionNorm), x, kwargs), kwargs);
      const { y, residual } = this.addAndNormalize(attended, x, mlpNorm);
      return add(residual, this.drop(this.mlp(y), kwargs));
    });
  }

  protected override disposeWeights(): number {
    this.parts.attention.dispose();
    return super.disposeWeights();
  }

  private norm(name: string, size: number): Norm {
    const gamma = this.weight(`${name}_gamma`, [size], { initializer: 'ones' });
    const isCentered = this.config.normalization === 'layerNorm';
    return { gamma, beta: isCentered ? this.weight(`${name}_beta`, [size], { initializer: 'zeros' }) : undefined };
  }

  private normalized(x: Tensor, { gamma, beta }: Norm): Tensor {
    const { epsilon } = this.config;
    return beta ? layerNorm(x, gamma.read(), beta.read(), { epsilon }) : rmsNorm(x, gamma.read(), { epsilon });
  }

  private addAndNormalize(block: Tensor, x: Tensor, norm: Norm) {
    if (!norm.beta) return fusedAddRmsNorm(block, x, norm.gamma.read(), { epsilon: this.config.epsilon });
    const residual = add(x, block);
    return { y: this.normalized(residual, norm), residual };
  }

  private attend(normalized: Tensor, x: Tensor, kwargs: AttentionCallArgs): Tensor {
    const { attention, queryKeyValue, output } = this.parts;
    const [mask] = Array.isArray(kwargs.mask) ? kwargs.mask : [kwargs.mask];
    const config = attention.config(x.shape[1]!, kwargs, mask ?? x.kerasMask, true);
    return project(output, flashAttention(project(queryKeyValue, normalized), config));
  }

  private mlp(x: Tensor): Tensor {
    const { gate, up, down } = this.parts;
    const { activation } = this.config;
    if (activation !== 'swiglu' && activation !== 'geglu') return project(down, project(up, x, activation));
    if (activation === 'swiglu' && !up.bias) {
      return swigluMlp(x, gate!.kernel.read(), up.kernel.read(), down.kernel.read());
    }
    const unit = activation === 'swiglu' ? swiglu : geglu;
    return project(down, unit(project(gate!, x), project(up, x)));
  }

  private drop(x: Tensor, { training = false }: AttentionCallArgs): Tensor {
    const { dropout } = this.config;
    return training && dropout > 0 ? tfDropout(x, dropout) : x;
  }
}
serialization.registerClass(TransformerBlock);

/**
 * A block of a decoder such as Llama's or GPT-2's, `[B, T, C]` to `[B, T, C]`: `h = x + attention(norm(x))`, then
 * `h + mlp(norm(h))`. Its parts are `liger.flashAttention` over one packed projection, `liger.fusedAddRmsNorm`, and
 * `liger.swigluMlp`. Keras Hub's `TransformerDecoder` with `normalize_first`; without `causal` its `TransformerEncoder`.
 *
 * Of GPT-2: `{ activation: 'geluTanh', normalization: 'layerNorm', epsilon: 1e-5, useBias: true, rotary: false }`.
 *
 * A call with tensors may be given {@link AttentionCallArgs}, and a model passes on the mask that a layer before has computed.
 *
 * Weights, in this order, as the linear layers of checkpoints have them: attention_norm_gamma [C], query_key_value_kernel
 * [(numHeads + 2 numKeyValueHeads) · D, C], output_kernel [C, numHeads · D], mlp_norm_gamma [C], gate_kernel [I, C] of a gated
 * activation, up_kernel [I, C], down_kernel [C, I]; after each kernel its bias with `useBias`, and after each gamma a beta with
 * 'layerNorm'.
 */
export function transformerBlock(args: TransformerBlockLayerArgs): TransformerBlock {
  return new TransformerBlock(args);
}
