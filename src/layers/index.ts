/** tf.layers for the ops: `import * as layers from 'tfjs-liger/layers'`. Needs @tensorflow/tfjs-layers, which `@tensorflow/tfjs` brings. */
import '../register.js';

export { Dense, type DenseLayerArgs, dense } from './dense.js';
export { Embedding, type EmbeddingLayerArgs, embedding, ReversedEmbedding } from './embedding.js';
export {
  FusedLinearCrossEntropy,
  type FusedLinearCrossEntropyLayerArgs,
  fusedLinearCrossEntropy,
  type LossFunction,
} from './fused_linear_cross_entropy.js';
export { LayerNorm, type LayerNormLayerArgs, layerNorm } from './layer_norm.js';
export { RmsNorm, type RmsNormLayerArgs, rmsNorm } from './rms_norm.js';
export type { LayerArgs } from './shared/liger_layer.js';
