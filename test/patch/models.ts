/** Models of tf.layers, for what is patched to be compared with tfjs's own. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { tf } from '../support/backend.js';
import { expectClose, GRADIENT_TOLERANCE } from '../support/golden.js';

export const VOCABULARY = 7;
export const LENGTH = 5;
const WIDTH = 8;

export type Ending = 'denseSoftmax' | 'activationLayer' | 'softmaxLayer' | 'sigmoid';

/** A small language model: embedding, layer normalisation, gelu, and probabilities of the next token. */
export function languageModel(ending: Ending = 'denseSoftmax'): LayersModel {
  const tokens = tf.input({ shape: [LENGTH] });
  let x = tf.layers.embedding({ inputDim: VOCABULARY, outputDim: WIDTH }).apply(tokens) as ReturnType<typeof tf.input>;
  const apply = (layer: ReturnType<typeof tf.layers.dense>) => {
    x = layer.apply(x) as typeof x;
  };
  apply(tf.layers.layerNormalization({ epsilon: 1e-5 }) as never);
  apply(tf.layers.dense({ units: 2 * WIDTH, activation: 'gelu' as never }));
  apply(tf.layers.dense({ units: WIDTH, activation: 'swish' }));
  const units = VOCABULARY;
  if (ending === 'denseSoftmax') apply(tf.layers.dense({ units, activation: 'softmax' }));
  if (ending === 'sigmoid') apply(tf.layers.dense({ units, activation: 'sigmoid' }));
  if (ending === 'activationLayer') {
    apply(tf.layers.dense({ units }));
    apply(tf.layers.activation({ activation: 'softmax' }) as never);
  }
  if (ending === 'softmaxLayer') {
    apply(tf.layers.dense({ units }));
    apply(tf.layers.softmax({ axis: -1 }) as never);
  }
  const model = tf.model({ inputs: tokens, outputs: x });
  seedWeights(model);
  return model;
}

/** The same weights for every model of a shape, none of them as they are at first. */
export function seedWeights(model: LayersModel): void {
  tf.tidy(() =>
    model.setWeights(model.getWeights().map((weight, i) => tf.randomNormal(weight.shape, 0.1, 0.5, 'float32', i + 1))),
  );
}

export interface Batch {
  tokens: Tensor;
  /** [B, T, 1] */
  labels: Tensor;
  /** [B, T, V] */
  oneHot: Tensor;
}

export function batch(size = 4): Batch {
  return tf.tidy(() => {
    const tokens = tf.randomUniform([size, LENGTH], 0, VOCABULARY, 'int32', 3);
    const labels = tf.randomUniform([size, LENGTH, 1], 0, VOCABULARY, 'int32', 4);
    const oneHot = tf.cast(tf.oneHot(tf.squeeze(labels, [2]) as tf.Tensor2D, VOCABULARY), 'float32');
    return { tokens, labels: tf.cast(labels, 'float32'), oneHot };
  });
}

/** What a model learns of a batch: its history, what it evaluates to and predicts then, and its weights. */
export interface Outcome {
  history: number[];
  evaluated: number[];
  predicted: number[];
  weights: number[][];
}

export type LossName = 'categoricalCrossentropy' | 'sparseCategoricalCrossentropy';

const numbers = async (tensor: Tensor) => Array.from(await tensor.data());

/** Trains a model for a few batches by SGD, whose steps don't magnify rounding. */
export async function outcomeOf(model: LayersModel, loss: LossName, metrics: string[]): Promise<Outcome> {
  const { tokens, labels, oneHot } = batch();
  const y = loss === 'categoricalCrossentropy' ? oneHot : labels;
  const { history } = await model.fit(tokens, y, { epochs: 3, batchSize: 2, shuffle: false, verbose: 0 });
  const evaluated = [model.evaluate(tokens, y, { verbose: 0, batchSize: 2 })].flat() as Tensor[];
  const predicted = model.predict(tokens) as Tensor;
  const outcome = {
    history: ['loss', ...metrics].flatMap((name) => history[name] as number[]),
    evaluated: (await Promise.all(evaluated.map(numbers))).flat(),
    predicted: await numbers(predicted),
    weights: await Promise.all(model.getWeights().map(numbers)),
  };
  tf.dispose([tokens, labels, oneHot, evaluated, predicted]);
  return outcome;
}

export async function expectSameOutcome(outcome: Outcome, expected: Outcome): Promise<void> {
  await expectClose(outcome.history, expected.history, GRADIENT_TOLERANCE, 'history');
  await expectClose(outcome.evaluated, expected.evaluated, GRADIENT_TOLERANCE, 'evaluated');
  await expectClose(outcome.predicted, expected.predicted, GRADIENT_TOLERANCE, 'predicted');
  for (const [i, weights] of expected.weights.entries()) {
    await expectClose(outcome.weights[i]!, weights, GRADIENT_TOLERANCE, `weights ${i}`);
  }
}
