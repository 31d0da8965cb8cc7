/** tf.layers for the ops: `import * as layers from 'tfjs-liger/layers'`. Needs @tensorflow/tfjs-layers, which `@tensorflow/tfjs` brings. */
import '../register.js';

export { Dense, type DenseLayerArgs, dense } from './dense.js';
export { Dyt, type DytLayerArgs, dyt } from './dyt.js';
export { Embedding, type EmbeddingLayerArgs, embedding, ReversedEmbedding } from './embedding.js';
export {
  FusedLinearCrossEntropy,
  type FusedLinearCrossEntropyLayerArgs,
  fusedLinearCrossEntropy,
  type LossFunction,
} from './fused_linear_cross_entropy.js';
export { GegluMlp, type GegluMlpLayerArgs, gegluMlp } from './geglu_mlp.js';
export { GroupNorm, type GroupNormLayerArgs, groupNorm } from './group_norm.js';
export { LayerNorm, type LayerNormLayerArgs, layerNorm } from './layer_norm.js';
export { MixtureOfExperts, type MixtureOfExpertsLayerArgs, mixtureOfExperts } from './mixture_of_experts.js';
export {
  MultiHeadAttention,
  type MultiHeadAttentionLayerArgs,
  multiHeadAttention,
} from './multi_head_attention.js';
export { PolyNorm, type PolyNormLayerArgs, polyNorm } from './poly_norm.js';
export { RmsNorm, type RmsNormLayerArgs, rmsNorm } from './rms_norm.js';
export {
  RotaryEmbedding,
  type RotaryEmbeddingCallArgs,
  type RotaryEmbeddingLayerArgs,
  rotaryEmbedding,
} from './rotary_embedding.js';
export type { AttentionCallArgs } from './shared/attention.js';
export type { LayerArgs } from './shared/liger_layer.js';
export { SwigluMlp, type SwigluMlpLayerArgs, swigluMlp } from './swiglu_mlp.js';
export { TransformerBlock, type TransformerBlockLayerArgs, transformerBlock } from './transformer_block.js';
