import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';

/** Characters that the model sees before the one that it predicts. */
export const CONTEXT = 16;
const WIDTH = 16;
const HIDDEN = 64;

export interface CharacterModel {
  variables: tf.Variable[];
  loss(contexts: tf.Tensor2D, next: tf.Tensor1D): tf.Scalar;
  /** [batch, vocabulary] */
  logits(contexts: tf.Tensor2D): tf.Tensor;
}

/** The characters before are embedded side by side; a projection and a gated feed-forward block follow. */
export function makeModel(vocabulary: number): CharacterModel {
  const weight = (out: number, into: number) => tf.tidy(() => tf.randomNormal([out, into], 0, into ** -0.5).variable());
  const table = weight(vocabulary, WIDTH);
  const projection = weight(HIDDEN, CONTEXT * WIDTH);
  const gamma = tf.tidy(() => tf.ones([HIDDEN]).variable());
  const [gate, up, down] = [weight(2 * HIDDEN, HIDDEN), weight(2 * HIDDEN, HIDDEN), weight(HIDDEN, 2 * HIDDEN)];
  const head = weight(vocabulary, HIDDEN);

  const hidden = (contexts: tf.Tensor2D) => {
    const embedded = tf.reshape(liger.embedding(table, contexts), [contexts.shape[0], CONTEXT * WIDTH]);
    const x = liger.linear(embedded, projection);
    const normalized = liger.rmsNorm(x, gamma);
    const inside = liger.swiglu(liger.linear(normalized, gate), liger.linear(normalized, up));
    return tf.add(x, liger.linear(inside, down));
  };
  return {
    variables: [table, projection, gamma, gate, up, down, head],
    loss: (contexts, next) => liger.fusedLinearCrossEntropy(hidden(contexts), head, next) as tf.Scalar,
    logits: (contexts) => liger.linear(hidden(contexts), head),
  };
}
