/** Whole training steps of language models, on one batch. */
import * as tf from '@tensorflow/tfjs';
import type { Gpt2Config } from '../../../examples/gpt2/config.js';
import type { LanguageModel } from '../../../examples/support/language_model.js';
import * as liger from '../../../src/index.js';
import type { Subject } from '../../harness/bench_case.js';
import { indices } from '../../harness/inputs.js';

export const LEARNING_RATE = 3e-4;

type Optimizer = Pick<tf.Optimizer, 'applyGradients' | 'dispose'>;

export function training(
  model: LanguageModel,
  { vocab_size }: Gpt2Config,
  [batch, length]: number[],
  optimizer: Optimizer,
  prepare: (gradients: tf.NamedTensorMap) => tf.NamedTensorMap,
): Subject {
  const inputIds = indices([batch!, length!], vocab_size, 1) as tf.Tensor2D;
  const labels = indices([batch!, length!], vocab_size, 2) as tf.Tensor2D;
  const variables = Object.values(model.variables);
  return {
    call: () => {
      const { value, grads } = tf.variableGrads(() => model.loss(inputIds, labels), variables);
      optimizer.applyGradients(prepare(grads));
      return [value];
    },
    dispose: () => {
      optimizer.dispose();
      model.dispose();
      tf.dispose([inputIds, labels]);
    },
  };
}

export const adamW = () => liger.train.adamW({ learningRate: LEARNING_RATE, weightDecay: 0.1, clipNorm: 1 });

export const trainingOfOurs = (model: LanguageModel, config: Gpt2Config, size: number[]): Subject =>
  training(model, config, size, adamW(), (gradients) => gradients);

/** A step that is recorded once and replayed. */
export function capturedTraining(model: LanguageModel, { vocab_size }: Gpt2Config, [batch, length]: number[]): Subject {
  const optimizer = adamW();
  const variables = Object.values(model.variables);
  const step = liger.capture((inputIds: tf.Tensor2D, labels: tf.Tensor2D) => {
    const { value, grads } = tf.variableGrads(() => model.loss(inputIds, labels), variables);
    optimizer.applyGradients(grads);
    return value;
  });
  const batches = [1, 2].map((seed) => indices([batch!, length!], vocab_size, seed) as tf.Tensor2D);
  return {
    call: () => [step(batches[0]!, batches[1]!).clone()],
    dispose: () => {
      step.dispose();
      optimizer.dispose();
      model.dispose();
      tf.dispose(batches);
    },
  };
}
