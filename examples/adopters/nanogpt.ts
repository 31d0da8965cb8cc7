/**
 * A model of the npm package @genai-fi/nanogpt as it is published, trained by its AdamW. Nothing here knows of tfjs-liger. Its kernels
 * for cpu leave the activation of the MLP out; those for WebGPU, which it is made for, apply it.
 */
import * as tf from '@tensorflow/tfjs';
import { installWebGpu } from '../../scripts/lib/dawn.mjs';
import { createRandom, normalValues } from '../support/random.js';

type NanoGptPackage = typeof import('@genai-fi/nanogpt');

export interface NanoGptConfig {
  vocabSize: number;
  blockSize: number;
  nLayer: number;
  nHead: number;
  nEmbed: number;
}

/**
 * Loads the package in Node.js. It brings a copy of tfjs, built for browsers, whose ops run on the engine that is there already:
 * that of the tfjs that was imported first. What is to replace tfjs's kernels and gradients has to come after it.
 */
export async function importNanoGpt(): Promise<NanoGptPackage> {
  const flags = {
    IS_NODE: false, // it lacks what tfjs needs of Node.js
    PROD: true, // no warning for each kernel that is there already
  };
  const before = Object.keys(flags).map((name) => [name, tf.env().get(name)] as const);
  for (const [name, value] of Object.entries(flags)) tf.env().set(name, value);
  try {
    return await import('@genai-fi/nanogpt');
  } finally {
    for (const [name, value] of before) tf.env().set(name, value);
  }
}

/** Makes its WebGPU backend the current one, which is tfjs's with kernels for its ops. */
export async function useNanoGptWebGpu({ TeachableLLM }: NanoGptPackage): Promise<void> {
  await installWebGpu();
  await TeachableLLM.selectBackend('webgpu');
}

type NanoGpt = InstanceType<NanoGptPackage['models']['NanoGPTV1']>;

/** A model, whose weights are the same for a seed. */
export function createNanoGpt({ models }: NanoGptPackage, config: NanoGptConfig, seed: number): NanoGpt {
  const model = new models.NanoGPTV1({ modelType: 'GenAI_NanoGPT_v1', mlpFactor: 4, useRope: true, ...config });
  // It makes its weights as it is first called.
  tf.tidy(() => model.forward({ training: false }, tf.zeros([1, config.blockSize], 'int32')));
  const random = createRandom(seed);
  for (const variable of model.variables) {
    const { shape, size } = variable;
    if (shape.length > 1) tf.tidy(() => variable.assign(tf.tensor(normalValues(size, 0.02, random), shape)));
  }
  return model;
}

export function createNanoGptOptimizer({ training }: NanoGptPackage, learningRate: number): tf.Optimizer {
  return new training.AdamWOptimizer({
    ...{ learningRate, minLearningRate: learningRate, warmupSteps: 0, decayEpochs: 1, epochSteps: 1 },
    ...{ beta1: 0.9, beta2: 0.99, weightDecay: 0.01, lossScaling: 1 },
  });
}

/** One step of training. Returns the loss: how far the tokens that follow, [B, T], are from what the model makes of those before. */
export function trainNanoGpt(
  model: NanoGpt,
  optimizer: tf.Optimizer,
  tokens: tf.Tensor2D,
  labels: tf.Tensor2D,
): tf.Scalar {
  return optimizer.minimize(() => {
    const logits = model.forward({ training: true }, tokens);
    return tf.losses.softmaxCrossEntropy(tf.oneHot(labels, model.config.vocabSize), logits);
  }, true)!;
}
