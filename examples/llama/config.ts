import * as tf from '@tensorflow/tfjs';
import { createRandom, normalValues } from '../support/random.js';

/** The fields of a Llama's config.json that shape the model. */
export interface LlamaConfig {
  vocab_size: number;
  hidden_size: number;
  intermediate_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  /** Fewer than num_attention_heads for grouped-query attention. Default num_attention_heads. */
  num_key_value_heads?: number;
  /** Default hidden_size / num_attention_heads. */
  head_dim?: number | null;
  rms_norm_eps: number;
  rope_parameters?: { rope_theta: number; rope_type?: string };
  /** Where older files have what is now in rope_parameters. Default 10000. */
  rope_theta?: number;
  /** Whether the head's weight is the embedding table. Default false. */
  tie_word_embeddings?: boolean;
  initializer_range?: number;
}

/** The config with every default filled in. */
export function resolveLlamaConfig(config: LlamaConfig) {
  const { rope_type = 'default' } = config.rope_parameters ?? {};
  if (rope_type !== 'default') throw new Error(`Llama: rope_type '${rope_type}' is not supported, only 'default'`);
  return {
    ...config,
    num_key_value_heads: config.num_key_value_heads ?? config.num_attention_heads,
    head_dim: config.head_dim ?? config.hidden_size / config.num_attention_heads,
    rope_theta: config.rope_parameters?.rope_theta ?? config.rope_theta ?? 10000,
    tie_word_embeddings: config.tie_word_embeddings ?? false,
    initializer_range: config.initializer_range ?? 0.02,
  };
}

/** The initial parameters, under the names and in the layouts of Hugging Face's checkpoints: linear layers are [O, I]. */
export function createLlamaVariables(config: LlamaConfig, seed: number): Record<string, tf.Variable> {
  const resolved = resolveLlamaConfig(config);
  const { vocab_size, hidden_size, intermediate_size, num_hidden_layers, head_dim, initializer_range } = resolved;
  const queries = resolved.num_attention_heads * head_dim;
  const keys = resolved.num_key_value_heads * head_dim;
  const random = createRandom(seed);
  const variables: Record<string, tf.Variable> = {};
  const normal = (name: string, shape: [number, number]) => {
    const values = normalValues(shape[0] * shape[1], initializer_range, random);
    variables[`${name}.weight`] = tf.tidy(() => tf.variable(tf.tensor2d(values, shape)));
  };
  const norm = (name: string) => {
    variables[`${name}.weight`] = tf.tidy(() => tf.variable(tf.ones([hidden_size])));
  };
  normal('model.embed_tokens', [vocab_size, hidden_size]);
  for (let i = 0; i < num_hidden_layers; i++) {
    const layer = `model.layers.${i}`;
    norm(`${layer}.input_layernorm`);
    normal(`${layer}.self_attn.q_proj`, [queries, hidden_size]);
    normal(`${layer}.self_attn.k_proj`, [keys, hidden_size]);
    normal(`${layer}.self_attn.v_proj`, [keys, hidden_size]);
    normal(`${layer}.self_attn.o_proj`, [hidden_size, queries]);
    norm(`${layer}.post_attention_layernorm`);
    normal(`${layer}.mlp.gate_proj`, [intermediate_size, hidden_size]);
    normal(`${layer}.mlp.up_proj`, [intermediate_size, hidden_size]);
    normal(`${layer}.mlp.down_proj`, [hidden_size, intermediate_size]);
  }
  norm('model.norm');
  if (!resolved.tie_word_embeddings) normal('lm_head', [vocab_size, hidden_size]);
  return variables;
}
