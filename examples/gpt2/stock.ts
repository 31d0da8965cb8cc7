import * as tf from '@tensorflow/tfjs';
import type { LanguageModel } from '../support/language_model.js';
import * as stock from '../support/stock_ops.js';
import { createGpt2Variables, type Gpt2Config } from './config.js';

/** GPT-2 from tfjs's own ops alone, for comparison with model.ts. */
export function createStockGpt2(config: Gpt2Config, seed: number): LanguageModel {
  const { n_embd, n_layer, n_head, layer_norm_epsilon } = config;
  const variables = createGpt2Variables(config, seed);
  const parameter = (name: string) => variables[`transformer.${name}`]!;

  function layerNorm(x: tf.Tensor3D, name: string): tf.Tensor3D {
    const { mean, variance } = tf.moments(x, -1, true);
    const normal = tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, layer_norm_epsilon)));
    return tf.add(tf.mul(normal, parameter(`${name}.weight`)), parameter(`${name}.bias`));
  }

  const linear = (x: tf.Tensor3D, name: string): tf.Tensor3D =>
    tf.add(stock.linear(x, parameter(`${name}.weight`), 'IO'), parameter(`${name}.bias`));

  function gelu(x: tf.Tensor3D): tf.Tensor3D {
    const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.mul(x, tf.square(x)))));
    return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(inner)));
  }

  function selfAttention(x: tf.Tensor3D, name: string): tf.Tensor3D {
    const [batch, length] = x.shape;
    const heads = tf
      .split(linear(x, `${name}.c_attn`), 3, -1)
      .map((part) => tf.transpose(tf.reshape(part, [batch, length, n_head, n_embd / n_head]), [0, 2, 1, 3]));
    return linear(stock.mergeHeads(stock.attention(heads[0]!, heads[1]!, heads[2]!)), `${name}.c_proj`);
  }

  function logits(inputIds: tf.Tensor2D): tf.Tensor3D {
    const positions = tf.slice(parameter('wpe.weight'), [0, 0], [inputIds.shape[1], n_embd]);
    let x: tf.Tensor3D = tf.add(stock.embedding(parameter('wte.weight'), inputIds), positions);
    for (let i = 0; i < n_layer; i++) {
      x = tf.add(x, selfAttention(layerNorm(x, `h.${i}.ln_1`), `h.${i}.attn`));
      x = tf.add(x, linear(gelu(linear(layerNorm(x, `h.${i}.ln_2`), `h.${i}.mlp.c_fc`)), `h.${i}.mlp.c_proj`));
    }
    return stock.linear(layerNorm(x, 'ln_f'), parameter('wte.weight'), 'OI');
  }

  return {
    variables,
    loss: (inputIds, labels) => tf.tidy(() => stock.crossEntropy(logits(inputIds), labels)),
    logits: (inputIds) => tf.tidy(() => logits(inputIds)),
    dispose: () => tf.dispose(variables),
  };
}
