/** tf.layers for the ops: `import * as layers from 'tfjs-liger/layers'`. Needs @tensorflow/tfjs-layers, which `@tensorflow/tfjs` brings. */
import '../register.js';

export { MixtureOfExperts, type MixtureOfExpertsLayerArgs, mixtureOfExperts } from './mixture_of_experts.js';
export {
  MultiHeadAttention,
  type MultiHeadAttentionLayerArgs,
  multiHeadAttention,
} from './multi_head_attention.js';
export { RmsNorm, type RmsNormLayerArgs, rmsNorm } from './rms_norm.js';
export {
  RotaryEmbedding,
  type RotaryEmbeddingCallArgs,
  type RotaryEmbeddingLayerArgs,
  rotaryEmbedding,
} from './rotary_embedding.js';
export type { AttentionCallArgs } from './shared/attention.js';
export type { LayerArgs } from './shared/liger_layer.js';
export { TransformerBlock, type TransformerBlockLayerArgs, transformerBlock } from './transformer_block.js';
