import type { Backend } from '../support/choose_backend.js';
import type { LlamaConfig } from './config.js';
import sizes from './presets.json';

/** A model, and the training that suits it. */
export interface Preset {
  config: LlamaConfig;
  contextLength: number;
  batchSize: number;
  steps: number;
  learningRate: number;
}

export type Size = keyof typeof sizes;

/** The vocabulary of GPT-2's tokenizer. */
const VOCABULARY = 50257;

type Shape = (typeof sizes)[Size]['config'];

const llama = (shape: Shape): LlamaConfig => ({
  vocab_size: VOCABULARY,
  ...shape,
  head_dim: shape.hidden_size / shape.num_attention_heads,
  rms_norm_eps: 1e-5,
  rope_parameters: { rope_theta: 10000, rope_type: 'default' },
  tie_word_embeddings: true,
  initializer_range: 0.02,
});

export const presets = Object.fromEntries<Preset>(
  Object.entries(sizes).map(([size, { config, ...training }]) => [size, { config: llama(config), ...training }]),
) as Record<Size, Preset>;

/** The size that does not keep people waiting: `chosen` is what was asked for, `backend` what that came to. */
export function defaultSize(backend: Backend, chosen: Backend | 'auto'): Size {
  if (backend === 'cpu') return 'tiny';
  return backend === 'webgpu' && chosen === 'auto' ? 'medium' : 'small'; // by auto, webgpu is a real GPU
}

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
