/**
 * Time and memory of training steps, in a process of its own, so that one measurement leaves no memory to the next:
 *   node --import tsx examples/llama/measure.ts '{"model": "stock", "backend": "cpu", "size": "tiny", "steps": 3}'
 * Prints JSON: a {@link Measurement}.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { train } from '../../src/index.js';
import { type Backend, peakMemory, useBackend } from '../support/choose_backend.js';
import { createRandom } from '../support/random.js';
import { randomBatch } from '../support/token_batches.js';
import { createLlama } from './model.js';
import { type Preset, presets, type Size } from './presets.js';
import { createStockLlama } from './stock.js';

export interface Measurement {
  /** The median. */
  secondsPerStep: number;
  /** The most bytes above what the process had before there was a model. */
  peakBytes: number;
}

export interface MeasureOptions {
  /** This library's ops, or tfjs's own alone. */
  model: 'liger' | 'stock';
  backend: Backend;
  size: Size;
  steps: number;
}

/** Measures in a new process. */
export function measureInProcess(options: MeasureOptions): Promise<Measurement> {
  return new Promise((resolve, reject) => {
    const file = fileURLToPath(import.meta.url);
    const child = fork(file, [JSON.stringify(options)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    let result: Measurement | undefined;
    child.on('message', (message) => {
      result = message as Measurement;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (result) resolve(result);
      else reject(new Error(`Measuring ${options.model} ended with ${signal ?? `code ${code}`}`));
    });
  });
}

async function measure({ model: kind, backend, size, steps }: MeasureOptions): Promise<Measurement> {
  await useBackend(backend);
  const before = peakMemory();
  const { config, contextLength, batchSize, learningRate }: Preset = presets[size];
  const model = kind === 'liger' ? createLlama(config, 1) : createStockLlama(config, 1);
  const optimizer = kind === 'liger' ? train.adamW({ learningRate, clipNorm: 1 }) : tf.train.adam(learningRate);
  const random = createRandom(1);
  const tokens = Array.from({ length: 10000 }, () => Math.floor(random() * config.vocab_size));
  const times: number[] = [];
  for (let step = 0; step <= steps; step++) {
    const { inputIds, labels } = randomBatch(tokens, batchSize, contextLength, random);
    const begin = performance.now();
    const loss = optimizer.minimize(() => model.loss(inputIds, labels), true)!;
    await loss.data();
    // The first step compiles shaders and allocates.
    if (step > 0) times.push((performance.now() - begin) / 1000);
    tf.dispose([inputIds, labels, loss]);
  }
  times.sort((a, b) => a - b);
  return { secondsPerStep: times[Math.floor(times.length / 2)]!, peakBytes: peakMemory() - before };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const result = await measure(JSON.parse(process.argv[2]!) as MeasureOptions);
  if (!process.send) console.log(JSON.stringify(result));
  else await new Promise((sent) => process.send!(result, sent));
  process.exit(); // Dawn keeps the process alive
}
