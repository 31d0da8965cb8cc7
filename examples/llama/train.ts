/**
 * Trains a small Llama on prose, and saves it as Hugging Face's transformers load it: npm run demo, or
 *   node --import tsx examples/llama/train.ts --help
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { SingleBar } from 'cli-progress';
import { decode } from 'gpt-tokenizer/encoding/r50k_base';
import { ArgumentError, readArguments } from '../../scripts/lib/arguments.mjs';
import { capture, train } from '../../src/index.js';
import { describeBackend, peakMemory, useBackend, yieldToEvents } from '../support/choose_backend.js';
import { formatBytes, formatDuration } from '../support/format.js';
import { generate } from '../support/generate.js';
import type { LanguageModel } from '../support/language_model.js';
import { drawLossChart, type Point } from '../support/loss_chart.js';
import { meanLoss } from '../support/mean_loss.js';
import { getParameters } from '../support/parameters.js';
import { readMobyDick, tokenize } from '../support/prose.js';
import { createRandom } from '../support/random.js';
import { runExample } from '../support/run_example.js';
import { encodeSafetensors } from '../support/safetensors.js';
import { randomBatch, spreadBatches } from '../support/token_batches.js';
import { compare } from './compare.js';
import { createLlama } from './model.js';
import { demo } from './options.mjs';
import { defaultSize, type Preset, presets, toConfigJson } from './presets.js';

async function readTokens(file: string | undefined, contextLength: number) {
  const { training, heldOut } = tokenize(file ? await readFile(file, 'utf8') : readMobyDick());
  if (heldOut.length <= contextLength) {
    const count = training.length + heldOut.length;
    throw new ArgumentError(`--text takes ${10 * (contextLength + 1)} tokens or more, not ${count}.`);
  }
  return { training, heldOut };
}

/** Rises over the first steps, then falls to a tenth along a cosine. */
function learningRateAt(step: number, steps: number, highest: number): number {
  const warmUp = Math.min(20, steps / 10);
  if (step < warmUp) return (highest * (step + 1)) / warmUp;
  const progress = (step - warmUp) / Math.max(1, steps - warmUp);
  return highest * (0.1 + 0.45 * (1 + Math.cos(Math.PI * progress)));
}

interface TrainOptions extends Preset {
  tokens: { training: number[]; heldOut: number[] };
  seed: number;
  /** Ends the training after the step at hand. */
  interruption: AbortSignal;
}

/** The seconds that the remaining steps will take by the last 20, the measurements of held-out text among them. */
class TimeLeft {
  private readonly ends: number[] = [];

  /** To be called as a step ends; undefined for the first step, which compiles shaders. */
  afterStep(remaining: number): number | undefined {
    if (this.ends.push(performance.now()) > 21) this.ends.shift();
    const intervals = this.ends.length - 1;
    return intervals > 0 ? ((this.ends[intervals]! - this.ends[0]!) / intervals / 1000) * remaining : undefined;
  }
}

async function trainModel(model: LanguageModel, options: TrainOptions) {
  const { tokens, batchSize, contextLength, steps, interruption } = options;
  const random = createRandom(options.seed);
  const heldOut = spreadBatches(tokens.heldOut, batchSize, contextLength, 4);
  const curves = { training: [] as Point[], heldOut: [] as Point[] };
  const bar = new SingleBar({
    format:
      '{bar} {value}/{total}, {timeLeft} left | loss {loss}, held-out {heldOut} | {speed} tokens/s | peak {memory}',
    barsize: 20,
    hideCursor: true,
    noTTYOutput: true,
    notTTYSchedule: 10_000,
    gracefulExit: false, // after an interrupt the step at hand goes on
  });
  process.once('exit', () => bar.stop()); // shows the cursor again
  // The norms' gammas are not weights that could grow for no reason.
  const gammas = new Set(Object.values(model.variables).flatMap(({ name, rank }) => (rank === 1 ? [name] : [])));
  const optimizer = train.adamW({
    beta2: 0.95,
    weightDecay: 0.1,
    clipNorm: 1,
    excludeFromWeightDecay: (name) => gammas.has(name),
  });
  // Recorded once, on WebGPU, and replayed: the learning rate is read at each step.
  const trainStep = capture(
    (inputIds: tf.Tensor2D, labels: tf.Tensor2D) => optimizer.minimize(() => model.loss(inputIds, labels), true)!,
  );
  const measureHeldOut = async (step: number) => {
    const loss = await meanLoss(model, heldOut);
    curves.heldOut.push([step, loss]);
    return loss.toFixed(3);
  };
  const timeLeft = new TimeLeft();
  const unknown = { loss: '…', speed: '…', timeLeft: '…' };
  const status = { ...unknown, heldOut: await measureHeldOut(0), memory: formatBytes(peakMemory()) };
  bar.start(steps, 0, status);
  let step = 0;
  let seconds = 0;
  while (step < steps && !interruption.aborted) {
    const begin = performance.now();
    const { inputIds, labels } = randomBatch(tokens.training, batchSize, contextLength, random);
    optimizer.learningRate = learningRateAt(step, steps, options.learningRate);
    const loss = trainStep(inputIds, labels);
    const [value] = await loss.data();
    tf.dispose([inputIds, labels, loss]);
    seconds += (performance.now() - begin) / 1000;
    step++;
    curves.training.push([step, value!]);
    status.loss = value!.toFixed(3);
    status.speed = Math.round((step * batchSize * contextLength) / seconds).toString();
    status.memory = formatBytes(peakMemory());
    if (step % Math.ceil(steps / 10) === 0 || step === steps) status.heldOut = await measureHeldOut(step);
    const left = timeLeft.afterStep(steps - step);
    if (left !== undefined) status.timeLeft = formatDuration(left);
    bar.update(step, status);
    await yieldToEvents();
  }
  if (curves.heldOut.at(-1)![0] !== step) await measureHeldOut(step);
  bar.stop();
  trainStep.dispose();
  optimizer.dispose();
  tf.dispose(heldOut as unknown as tf.TensorContainer);
  return curves;
}

async function save(model: LanguageModel, preset: Preset, chart: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const weights = encodeSafetensors(await getParameters(model.variables));
  await writeFile(path.join(folder, 'model.safetensors'), weights);
  await writeFile(path.join(folder, 'config.json'), `${JSON.stringify(toConfigJson(preset), null, 2)}\n`);
  await writeFile(path.join(folder, 'loss.svg'), chart);
}

/** Aborted by SIGINT; another one ends the process. */
function listenForInterruption(): AbortSignal {
  const controller = new AbortController();
  process.on('SIGINT', () => {
    if (controller.signal.aborted) process.exit(130);
    console.log('\nStopping; once more to end at once.');
    controller.abort();
  });
  return controller.signal;
}

async function main(): Promise<void> {
  const options = readArguments(demo);
  const interruption = listenForInterruption();
  const backend = await useBackend(options.backend);
  const size = options.size ?? defaultSize(backend, options.backend);
  const preset: Preset = { ...presets[size], steps: options.steps ?? presets[size].steps };
  const { config, contextLength, batchSize, steps } = preset;
  const tokens = await readTokens(options.text, contextLength);
  const model = createLlama(config, options.seed);
  const parameters = Object.values(model.variables).reduce((sum, variable) => sum + variable.size, 0);
  console.log(
    `A Llama with ${(parameters / 1e6).toFixed(1)}M parameters, on ${describeBackend()}: ` +
      `${steps} steps of ${batchSize} × ${contextLength} tokens`,
  );

  const curves = await trainModel(model, { ...preset, tokens, seed: options.seed, interruption });
  const [first, last] = [curves.heldOut[0]!, curves.heldOut.at(-1)!];
  console.log(`Loss on the held-out text: ${first[1].toFixed(3)} before, ${last[1].toFixed(3)} after ${last[0]} steps`);

  const title = `Llama, ${(parameters / 1e6).toFixed(1)}M parameters, on ${options.text ? path.basename(options.text) : 'Moby-Dick'}`;
  await save(model, preset, drawLossChart(title, curves), options.out);
  console.log(
    `Saved ${['model.safetensors', 'config.json', 'loss.svg'].map((file) => path.join(options.out, file)).join(', ')}`,
  );

  if (!interruption.aborted) {
    const prompt = tokens.heldOut.slice(0, 12);
    const random = createRandom(options.seed);
    const text = decode(await generate(model, prompt, 40, { contextLength, temperature: 0.8, random }));
    console.log(`\n${decode(prompt).trim()} […]${text}`);
  }
  model.dispose();
  if (!interruption.aborted && !options['no-compare']) {
    interruption.addEventListener('abort', () => process.exit()); // nothing is left to save
    await compare(backend, size);
  }
}

// By its exit handlers it ends a measurement, too. It loses its channel to scripts/demo.mjs where that was killed.
process.on('SIGTERM', () => process.exit(143));
process.on('disconnect', () => process.exit(1));

await runExample(main);
