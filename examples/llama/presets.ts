import type { LlamaConfig } from './config.js';

/** A model, and the training that suits it. */
export interface Preset {
  config: LlamaConfig;
  contextLength: number;
  batchSize: number;
  steps: number;
  learningRate: number;
}

/** The vocabulary of GPT-2's tokenizer. */
const VOCABULARY = 50257;

function llama(
  [hidden_size, intermediate_size]: [number, number],
  num_hidden_layers: number,
  [num_attention_heads, num_key_value_heads]: [number, number],
): LlamaConfig {
  return {
    vocab_size: VOCABULARY,
    hidden_size,
    intermediate_size,
    num_hidden_layers,
    num_attention_heads,
    num_key_value_heads,
    head_dim: hidden_size / num_attention_heads,
    rms_norm_eps: 1e-5,
    rope_parameters: { rope_theta: 10000, rope_type: 'default' },
    tie_word_embeddings: true,
    initializer_range: 0.02,
  };
}

export const presets = {
  /** To try things: seconds on any backend. */
  tiny: { config: llama([32, 96], 2, [4, 2]), contextLength: 32, batchSize: 4, steps: 100, learningRate: 1e-2 },
  /** For a CPU. */
  small: { config: llama([128, 352], 4, [4, 2]), contextLength: 64, batchSize: 8, steps: 400, learningRate: 4e-3 },
  /** For a GPU. */
  medium: { config: llama([512, 1408], 8, [8, 4]), contextLength: 256, batchSize: 16, steps: 600, learningRate: 1e-3 },
  /** As large as GPT-2. */
  large: { config: llama([768, 2048], 12, [12, 4]), contextLength: 512, batchSize: 8, steps: 1000, learningRate: 6e-4 },
} satisfies Record<string, Preset>;

export type Size = keyof typeof presets;

/** The config.json that Hugging Face's transformers load beside model.safetensors. */
export function toConfigJson({ config, contextLength }: Preset) {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    ...config,
    hidden_act: 'silu',
    max_position_embeddings: contextLength,
    attention_bias: false,
    mlp_bias: false,
    bos_token_id: VOCABULARY - 1,
    eos_token_id: VOCABULARY - 1,
    torch_dtype: 'float32',
  };
}
