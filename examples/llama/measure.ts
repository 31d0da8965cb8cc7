/**
 * Time and memory of training steps, in a process of its own, so that one measurement leaves no memory to the next:
 *   node --import tsx examples/llama/measure.ts '{"model": "stock", "backend": "wasm", "size": "tiny", "steps": 3}'
 * After each step it prints what it has so far as JSON: a {@link Measurement}.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { train } from '../../src/index.js';
import { type Backend, peakMemory, useBackend } from '../support/choose_backend.js';
import { createRandom } from '../support/random.js';
import { randomBatch } from '../support/token_batches.js';
import { createLlama } from './model.js';
import { presets, type Size } from './presets.js';
import { createStockLlama } from './stock.js';

export interface Measurement {
  /** How many were measured. */
  steps: number;
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
  /** How many to measure, after a first one that compiles shaders and allocates. */
  steps: number;
}

/** Measures in a new process, which is ended after `seconds`; undefined if it has measured no step by then. */
export function measureInProcess(options: MeasureOptions, seconds: number): Promise<Measurement | undefined> {
  return new Promise((resolve, reject) => {
    const file = fileURLToPath(import.meta.url);
    const child = fork(file, [JSON.stringify(options)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      timeout: 1000 * seconds,
      killSignal: 'SIGKILL', // a long step leaves a handler no turn
    });
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    let result: Measurement | undefined;
    child.on('message', (message) => {
      result = message as Measurement;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.off('exit', kill);
      if (code === 0 || child.killed) resolve(result);
      else reject(new Error(`Measuring ${options.model} ended with ${signal ?? `code ${code}`}`));
    });
  });
}

async function measure(options: MeasureOptions, report: (soFar: Measurement) => Promise<void>): Promise<void> {
  await useBackend(options.backend);
  const before = peakMemory();
  const { config, contextLength, batchSize, learningRate } = presets[options.size];
  const liger = options.model === 'liger';
  const model = liger ? createLlama(config, 1) : createStockLlama(config, 1);
  const optimizer = liger ? train.adamW({ learningRate, clipNorm: 1 }) : tf.train.adam(learningRate);
  const random = createRandom(1);
  const tokens = Array.from({ length: 10000 }, () => Math.floor(random() * config.vocab_size));
  const times: number[] = [];
  for (let step = 0; step <= options.steps; step++) {
    const { inputIds, labels } = randomBatch(tokens, batchSize, contextLength, random);
    const begin = performance.now();
    const loss = optimizer.minimize(() => model.loss(inputIds, labels), true)!;
    await loss.data();
    const seconds = (performance.now() - begin) / 1000;
    tf.dispose([inputIds, labels, loss]);
    if (step === 0) continue;
    times.push(seconds);
    const median = [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
    await report({ steps: step, secondsPerStep: median, peakBytes: peakMemory() - before });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.on('disconnect', () => process.exit()); // the process that asked is gone
  await measure(JSON.parse(process.argv[2]!) as MeasureOptions, async (soFar) => {
    if (!process.send) console.log(JSON.stringify(soFar));
    else await new Promise((sent) => process.send!(soFar, sent));
  });
  process.exit(); // Dawn keeps the process alive
}
