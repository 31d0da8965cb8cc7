import type { TensorInfo } from '@tensorflow/tfjs-core';
import { contract } from './shared/contract.js';

export interface EmbeddingInputs {
  /** [V, C] */
  table: TensorInfo;
  /** [...], int32 */
  indices: TensorInfo;
}
/** y [..., C]: the rows of the table at the indices; NaN where an index is out of range. */
export const Embedding = contract<EmbeddingInputs>()('LigerEmbedding', ['y']);

export interface EmbeddingGradInputs {
  /** [..., C] */
  dy: TensorInfo;
  /** [...], int32 */
  indices: TensorInfo;
}
export interface EmbeddingGradAttrs {
  /** V */
  vocabularySize: number;
}
/** dtable [V, C]: the sum of the gradients of each row's uses, in the order of the indices. */
export const EmbeddingGrad = contract<EmbeddingGradInputs, EmbeddingGradAttrs>()('LigerEmbeddingGrad', ['dtable']);
