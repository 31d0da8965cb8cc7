import type * as tf from '@tensorflow/tfjs';

/** What tells the sequences of a row from one another: `packSequences` makes it. */
export interface Packing {
  /** [B, T], int32: a token sees those of its own segment. */
  segmentIds: tf.Tensor2D;
  /** [B, T], int32: a token's place in its sequence. */
  positions: tf.Tensor2D;
}

/** What training, sampling and measuring need to know of a model. */
export interface LanguageModel {
  /** The parameters, under the names that Hugging Face's checkpoints have. */
  readonly variables: Record<string, tf.Variable>;
  /**
   * The mean cross entropy of the labels.
   *
   * @param inputIds [B, T], int32
   * @param labels [B, T], int32: the token that follows each input, or −100 to leave it out.
   * @param packing Of rows that hold several sequences. Models of stock ops have none.
   */
  loss(inputIds: tf.Tensor2D, labels: tf.Tensor2D, packing?: Packing): tf.Scalar;
  /** [B, T, V]: the logits of the token that follows each input. */
  logits(inputIds: tf.Tensor2D): tf.Tensor3D;
  dispose(): void;
}
