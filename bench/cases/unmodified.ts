import * as tf from '@tensorflow/tfjs';
import { type Gpt2Config, gpt2Config } from '../../examples/gpt2/config.js';
import { createStockGpt2 } from '../../examples/gpt2/stock.js';
import type { BenchCase, Subject } from '../harness/bench_case.js';
import { indices, noise } from '../harness/inputs.js';

/** Training steps by a stock optimizer. */
function training(makeLoss: () => tf.Scalar, disposeAll: () => void): Subject {
  const optimizer = tf.train.adam(3e-4);
  return {
    call: () => [optimizer.minimize(makeLoss, true)!],
    dispose: () => {
      optimizer.dispose();
      disposeAll();
    },
  };
}

/** GPT-2 from stock ops. */
function gpt2(config: Gpt2Config, batch: number, length: number): Subject {
  const model = createStockGpt2(config, 1);
  const [inputIds, labels] = [1, 2].map((seed) => indices([batch, length], config.vocab_size, seed) as tf.Tensor2D);
  return training(
    () => model.loss(inputIds!, labels!) as tf.Scalar,
    () => {
      model.dispose();
      tf.dispose([inputIds, labels]);
    },
  );
}

/** A convolutional network of tf.layers, for images of 28 × 28 in ten classes. */
function convolutional(batch: number): Subject {
  const model = tf.sequential({
    layers: [
      tf.layers.conv2d({ inputShape: [28, 28, 1], kernelSize: 3, filters: 32, activation: 'relu' }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.conv2d({ kernelSize: 3, filters: 64, activation: 'relu' }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 128, activation: 'relu' }),
      tf.layers.dense({ units: 10 }),
    ],
  });
  const images = noise([batch, 28, 28, 1], 1);
  const classes = tf.tidy(() => tf.oneHot(indices([batch], 10, 2) as tf.Tensor1D, 10));
  return training(
    () => tf.losses.softmaxCrossEntropy(classes, model.apply(images, { training: true }) as tf.Tensor) as tf.Scalar,
    () => {
      model.dispose();
      tf.dispose([images, classes]);
    },
  );
}

/** Code that does not know of this library. Its times differ by --backend: webgpu-stock is tfjs's own. */
export function unmodified(quick: boolean): BenchCase[] {
  const config: Gpt2Config = quick
    ? { ...gpt2Config, vocab_size: 128, n_positions: 32, n_embd: 32, n_layer: 1, n_head: 2 }
    : { ...gpt2Config, vocab_size: 50304 };
  const [batch, length] = quick ? [1, 16] : [4, 256];
  const images = quick ? 8 : 512;
  const step = { op: 'unmodified', timed: 'step', totalMemory: true } as const;
  return [
    {
      ...step,
      shape: `GPT-2 ${quick ? 'tiny' : '124M'}, batch ${batch}×${length}`,
      ours: () => gpt2(config, batch, length),
    },
    { ...step, shape: `convolutions, ${images} images`, ours: () => convolutional(images) },
  ];
}
