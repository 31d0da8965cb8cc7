import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import type { LanguageModel, Packing } from '../support/language_model.js';
import { RotaryTables, type Rotation } from '../support/rotary_tables.js';
import { createLlamaVariables, type LlamaConfig, resolveLlamaConfig } from './config.js';

export interface Llama extends LanguageModel {
  /** [B, T] to [B, T, hidden_size], what the head sees. */
  hiddenStates(inputIds: tf.Tensor2D, packing?: Packing): tf.Tensor3D;
  /** The head's weight, [vocab_size, hidden_size]. */
  head(): tf.Variable;
}

/** A Llama from this library's ops: its parameters have the names and layouts of Hugging Face's checkpoints. */
export function createLlama(config: LlamaConfig, seed: number): Llama {
  const { num_hidden_layers, num_attention_heads, num_key_value_heads, ...rest } = resolveLlamaConfig(config);
  const norm = { epsilon: rest.rms_norm_eps };
  const heads = { heads: num_attention_heads, keyHeads: num_key_value_heads };
  const variables = createLlamaVariables(config, seed);
  const rotaryTables = new RotaryTables(rest.head_dim, rest.rope_theta);
  const parameter = (name: string) => variables[`${name}.weight`]!;
  const head = () => parameter(rest.tie_word_embeddings ? 'model.embed_tokens' : 'lm_head');
  const linear = (x: tf.Tensor, name: string) => liger.linear(x, parameter(name)) as tf.Tensor3D;

  function selfAttention(
    x: tf.Tensor3D,
    name: string,
    places: Rotation & Pick<Partial<Packing>, 'segmentIds'>,
  ): tf.Tensor3D {
    const [q, k, v] = [linear(x, `${name}.q_proj`), linear(x, `${name}.k_proj`), linear(x, `${name}.v_proj`)];
    return linear(liger.flashAttention(q, k, v, { ...heads, causal: true, ...places }), `${name}.o_proj`);
  }

  function mlp(x: tf.Tensor3D, name: string): tf.Tensor3D {
    const inner = liger.swiglu(linear(x, `${name}.gate_proj`), linear(x, `${name}.up_proj`));
    return linear(inner, `${name}.down_proj`);
  }

  function hiddenStates(inputIds: tf.Tensor2D, packing?: Packing): tf.Tensor3D {
    const rotation = rotaryTables.get(inputIds.shape[1], packing?.positions);
    const places = { ...rotation, segmentIds: packing?.segmentIds };
    // What a block returns is added to the residual stream and normalized for the next block in one kernel.
    let residual = liger.embedding(parameter('model.embed_tokens'), inputIds) as tf.Tensor3D;
    let x = liger.rmsNorm(residual, parameter('model.layers.0.input_layernorm'), norm) as tf.Tensor3D;
    const addAndNormalize = (block: tf.Tensor3D, name: string) => {
      const next = liger.fusedAddRmsNorm(block, residual, parameter(name), norm);
      [x, residual] = [next.y as tf.Tensor3D, next.residual as tf.Tensor3D];
    };
    for (let i = 0; i < num_hidden_layers; i++) {
      const layer = `model.layers.${i}`;
      addAndNormalize(selfAttention(x, `${layer}.self_attn`, places), `${layer}.post_attention_layernorm`);
      const block = mlp(x, `${layer}.mlp`);
      if (i + 1 < num_hidden_layers) addAndNormalize(block, `model.layers.${i + 1}.input_layernorm`);
      // Nothing uses the sum after the last block, and for an output without a gradient tfjs would upload zeros.
      else residual = tf.add(block, residual);
    }
    return liger.rmsNorm(residual, parameter('model.norm'), norm) as tf.Tensor3D;
  }

  return {
    variables,
    hiddenStates: (inputIds, packing) => tf.tidy(() => hiddenStates(inputIds, packing)),
    head,
    loss: (inputIds, labels, packing) =>
      tf.tidy(() => liger.fusedLinearCrossEntropy(hiddenStates(inputIds, packing), head(), labels) as tf.Scalar),
    logits: (inputIds) => tf.tidy(() => liger.linear(hiddenStates(inputIds), head()) as tf.Tensor3D),
    dispose: () => {
      tf.dispose(variables);
      rotaryTables.dispose();
    },
  };
}
