import * as tf from '@tensorflow/tfjs';
import type { LanguageModel } from '../support/language_model.js';
import { RotaryTables } from '../support/rotary_tables.js';
import * as stock from '../support/stock_ops.js';
import { createLlamaVariables, type LlamaConfig, resolveLlamaConfig } from './config.js';

/** A Llama from tfjs's own ops alone, for comparison with model.ts. */
export function createStockLlama(config: LlamaConfig, seed: number): LanguageModel {
  const { num_hidden_layers, num_attention_heads, num_key_value_heads, head_dim, ...rest } = resolveLlamaConfig(config);
  const variables = createLlamaVariables(config, seed);
  const rotaryTables = new RotaryTables(head_dim, rest.rope_theta);
  const parameter = (name: string) => variables[`${name}.weight`]!;
  const linear = (x: tf.Tensor3D, name: string) => stock.linear(x, parameter(name), 'OI');

  function rmsNorm(x: tf.Tensor3D, name: string): tf.Tensor3D {
    const meanSquare = tf.mean(tf.square(x), -1, true);
    return tf.mul(tf.mul(x, tf.rsqrt(tf.add(meanSquare, rest.rms_norm_eps))), parameter(name));
  }

  function rotate(x: tf.Tensor4D): tf.Tensor4D {
    const { cos, sin } = rotaryTables.get(x.shape[2]);
    const [first, second] = tf.split(x, 2, -1) as [tf.Tensor4D, tf.Tensor4D];
    return tf.add(tf.mul(x, cos), tf.mul(tf.concat([tf.neg(second), first], -1), sin));
  }

  /** Repeats each head for the heads of q that share it; in few dimensions, since tf.tile has no gradient for more than 4. */
  function repeat(x: tf.Tensor4D): tf.Tensor4D {
    const [batch, heads, length] = x.shape;
    const times = num_attention_heads / num_key_value_heads;
    const repeated = tf.tile(tf.reshape(x, [batch * heads, 1, length * head_dim]), [1, times, 1]);
    return tf.reshape(repeated, [batch, heads * times, length, head_dim]);
  }

  function selfAttention(x: tf.Tensor3D, name: string): tf.Tensor3D {
    const q = rotate(stock.splitHeads(linear(x, `${name}.q_proj`), num_attention_heads));
    const k = rotate(stock.splitHeads(linear(x, `${name}.k_proj`), num_key_value_heads));
    const v = stock.splitHeads(linear(x, `${name}.v_proj`), num_key_value_heads);
    return linear(stock.mergeHeads(stock.attention(q, repeat(k), repeat(v))), `${name}.o_proj`);
  }

  function mlp(x: tf.Tensor3D, name: string): tf.Tensor3D {
    const gate = linear(x, `${name}.gate_proj`);
    return linear(tf.mul(tf.mul(gate, tf.sigmoid(gate)), linear(x, `${name}.up_proj`)), `${name}.down_proj`);
  }

  function logits(inputIds: tf.Tensor2D): tf.Tensor3D {
    let x = stock.embedding(parameter('model.embed_tokens'), inputIds);
    for (let i = 0; i < num_hidden_layers; i++) {
      const layer = `model.layers.${i}`;
      x = tf.add(x, selfAttention(rmsNorm(x, `${layer}.input_layernorm`), `${layer}.self_attn`));
      x = tf.add(x, mlp(rmsNorm(x, `${layer}.post_attention_layernorm`), `${layer}.mlp`));
    }
    return linear(rmsNorm(x, 'model.norm'), rest.tie_word_embeddings ? 'model.embed_tokens' : 'lm_head');
  }

  return {
    variables,
    loss: (inputIds, labels) => tf.tidy(() => stock.crossEntropy(logits(inputIds), labels)),
    logits: (inputIds) => tf.tidy(() => logits(inputIds)),
    dispose: () => {
      tf.dispose(variables);
      rotaryTables.dispose();
    },
  };
}
