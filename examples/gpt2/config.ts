import * as tf from '@tensorflow/tfjs';
import { createRandom, normalValues } from '../support/random.js';

/** The fields of GPT-2's config.json that shape the model. The defaults are those of the smallest one, with 124M parameters. */
export interface Gpt2Config {
  vocab_size: number;
  n_positions: number;
  n_embd: number;
  n_layer: number;
  n_head: number;
  /** The width of the MLP; 4 · n_embd unless given. */
  n_inner?: number | null;
  layer_norm_epsilon: number;
  initializer_range: number;
}

export const gpt2Config: Gpt2Config = {
  vocab_size: 50257,
  n_positions: 1024,
  n_embd: 768,
  n_layer: 12,
  n_head: 12,
  layer_norm_epsilon: 1e-5,
  initializer_range: 0.02,
};

/** The initial parameters as GPT-2 has them, under the names and in the layouts of Hugging Face's checkpoints. */
export function createGpt2Variables(config: Gpt2Config, seed: number): Record<string, tf.Variable> {
  const { vocab_size, n_positions, n_embd, n_layer, initializer_range } = config;
  const inner = config.n_inner ?? 4 * n_embd;
  const random = createRandom(seed);
  const variables: Record<string, tf.Variable> = {};
  const normal = (name: string, shape: number[], standardDeviation = initializer_range) => {
    const values = normalValues(tf.util.sizeFromShape(shape), standardDeviation, random);
    variables[name] = tf.tidy(() => tf.variable(tf.tensor(values, shape)));
  };
  const layerNorm = (name: string) => {
    variables[`${name}.weight`] = tf.tidy(() => tf.variable(tf.ones([n_embd])));
    variables[`${name}.bias`] = tf.tidy(() => tf.variable(tf.zeros([n_embd])));
  };
  // As in GPT-2's own code, linear layers are stored [I, O].
  const linear = (name: string, inputs: number, outputs: number, standardDeviation?: number) => {
    normal(`${name}.weight`, [inputs, outputs], standardDeviation);
    variables[`${name}.bias`] = tf.tidy(() => tf.variable(tf.zeros([outputs])));
  };
  normal('transformer.wte.weight', [vocab_size, n_embd]);
  normal('transformer.wpe.weight', [n_positions, n_embd]);
  // Keeps the variance of the residual stream, to which each layer adds twice.
  const residual = initializer_range / Math.sqrt(2 * n_layer);
  for (let i = 0; i < n_layer; i++) {
    const layer = `transformer.h.${i}`;
    layerNorm(`${layer}.ln_1`);
    linear(`${layer}.attn.c_attn`, n_embd, 3 * n_embd);
    linear(`${layer}.attn.c_proj`, n_embd, n_embd, residual);
    layerNorm(`${layer}.ln_2`);
    linear(`${layer}.mlp.c_fc`, n_embd, inner);
    linear(`${layer}.mlp.c_proj`, inner, n_embd, residual);
  }
  layerNorm('transformer.ln_f');
  return variables;
}
