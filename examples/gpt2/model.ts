import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import type { LanguageModel, Packing } from '../support/language_model.js';
import { createGpt2Variables, type Gpt2Config } from './config.js';

export interface Gpt2Options {
  /** Keeps the input of each block alone for the backward pass, which then computes the block again. Default false. */
  readonly recomputesBlocks?: boolean;
}

/** GPT-2 from this library's ops: its parameters have the names and layouts of Hugging Face's checkpoints. */
export function createGpt2(
  config: Gpt2Config,
  seed: number,
  { recomputesBlocks = false }: Gpt2Options = {},
): LanguageModel {
  const { n_embd, n_layer, n_head, layer_norm_epsilon } = config;
  const variables = createGpt2Variables(config, seed);
  const parameter = (name: string) => variables[`transformer.${name}`]!;

  const layerNorm = (x: tf.Tensor3D, name: string) =>
    liger.layerNorm(x, parameter(`${name}.weight`), parameter(`${name}.bias`), { epsilon: layer_norm_epsilon });

  const linear = (x: tf.Tensor, name: string, activation: 'none' | 'geluTanh' = 'none') =>
    liger.linear(x, parameter(`${name}.weight`), {
      bias: parameter(`${name}.bias`),
      activation,
      transposeWeight: true,
    }) as tf.Tensor3D;

  function selfAttention(x: tf.Tensor3D, name: string, segmentIds?: tf.Tensor2D): tf.Tensor3D {
    const qkv = linear(x, `${name}.c_attn`);
    return linear(liger.flashAttention(qkv, { heads: n_head, causal: true, segmentIds }), `${name}.c_proj`);
  }

  function block(x: tf.Tensor3D, name: string, segmentIds?: tf.Tensor2D): tf.Tensor3D {
    const attended: tf.Tensor3D = tf.add(x, selfAttention(layerNorm(x, `${name}.ln_1`), `${name}.attn`, segmentIds));
    const inner = linear(layerNorm(attended, `${name}.ln_2`), `${name}.mlp.c_fc`, 'geluTanh');
    return tf.add(attended, linear(inner, `${name}.mlp.c_proj`));
  }

  /** [B, T] to [B, T, n_embd], what the head sees. */
  function hiddenStates(inputIds: tf.Tensor2D, packing?: Packing): tf.Tensor3D {
    const table = parameter('wpe.weight');
    const positions = packing
      ? liger.embedding(table, packing.positions)
      : tf.slice(table, [0, 0], [inputIds.shape[1], n_embd]);
    let x = tf.add(liger.embedding(parameter('wte.weight'), inputIds), positions) as tf.Tensor3D;
    for (let i = 0; i < n_layer; i++) {
      // In a tidy, so that what nothing saves for the backward pass is given back at once.
      const run = (input: tf.Tensor3D) => tf.tidy(() => block(input, `h.${i}`, packing?.segmentIds));
      x = recomputesBlocks ? liger.checkpoint(run, x) : run(x);
    }
    return layerNorm(x, 'ln_f');
  }

  return {
    variables,
    // The head's weight is the embedding table.
    loss: (inputIds, labels, packing) =>
      tf.tidy(() => liger.fusedLinearCrossEntropy(hiddenStates(inputIds, packing), parameter('wte.weight'), labels)),
    logits: (inputIds) => tf.tidy(() => liger.linear(hiddenStates(inputIds), parameter('wte.weight')) as tf.Tensor3D),
    dispose: () => tf.dispose(variables),
  };
}
