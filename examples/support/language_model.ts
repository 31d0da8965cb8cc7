import type * as tf from '@tensorflow/tfjs';

/** What training, sampling and measuring need to know of a model. */
export interface LanguageModel {
  /** The parameters, under the names that Hugging Face's checkpoints have. */
  readonly variables: Record<string, tf.Variable>;
  /**
   * The mean cross entropy of the labels.
   *
   * @param inputIds [B, T], int32
   * @param labels [B, T], int32: the token that follows each input, or −100 to leave it out.
   */
  loss(inputIds: tf.Tensor2D, labels: tf.Tensor2D): tf.Scalar;
  /** [B, T, V]: the logits of the token that follows each input. */
  logits(inputIds: tf.Tensor2D): tf.Tensor3D;
  dispose(): void;
}
