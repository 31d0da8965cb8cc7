/**
 * Trains models that were written for TensorFlow.js alone, without and with this library: npm run adopters, or
 *   node --import tsx examples/adopters/train.ts --help
 */
import * as tf from '@tensorflow/tfjs';
import Table from 'cli-table3';
import { ArgumentError, readArguments } from '../../scripts/lib/arguments.mjs';
import { applyTo, patch, registerWebGPUBackend, type WebGPUBackend } from '../../src/index.js';
import { describeBackend, useBackend, useStockWebGpu } from '../support/choose_backend.js';
import { readMobyDick } from '../support/prose.js';
import { createRandom } from '../support/random.js';
import { runExample } from '../support/run_example.js';
import { randomBatch } from '../support/token_batches.js';
import { createMinGpt, minGptSizes, trainMinGpt } from './min_gpt.js';
import { createNanoGpt, createNanoGptOptimizer, importNanoGpt, trainNanoGpt, useNanoGptWebGpu } from './nanogpt.js';
import { type AdoptersOptions, adopters } from './options.mjs';

/** Rounding stays far below this, though Adam makes more of it: its steps are as large for small gradients as for large ones. */
const TOLERANCE = 1e-4;
const LEARNING_RATE = 1e-3;

const presets = {
  tiny: { nLayer: 1, nHead: 2, nEmbd: 16, blockSize: 16, batch: 4 },
  small: { ...minGptSizes['gpt-nano'], blockSize: 128, batch: 8 },
} as const;

/** A model and its optimizer. */
interface Learner {
  step(tokens: tf.Tensor2D, labels: tf.Tensor2D): tf.Scalar;
  dispose(): void;
}

interface Run {
  losses: number[];
  /** The median. */
  millisecondsOfStep: number;
  peakBytes: number;
}

/** Trains a learner from its start on batches that are the same for each, and disposes it. */
type Train = (learner: Learner) => Promise<Run>;
type Config = (typeof presets)[AdoptersOptions['preset']] & { vocabSize: number };
type Backend = AdoptersOptions['backend'];

/** Replaces tfjs's WebGPU backend once it is idle. */
async function replaceStockWebGpu(): Promise<void> {
  await (tf.backend() as WebGPUBackend).device.queue.onSubmittedWorkDone();
  await registerWebGPUBackend();
}

/** A GPT of tf.layers: on tfjs's own kernels, after one line for the whole program, and after one line for the model alone. */
async function runMinGpt(backend: Backend, config: Config, train: Train): Promise<Record<string, Run>> {
  const create = () => {
    const model = createMinGpt(config, 1);
    const optimizer = tf.train.adam(LEARNING_RATE);
    return {
      model,
      step: (tokens: tf.Tensor2D, labels: tf.Tensor2D) => trainMinGpt(model, optimizer, tokens, labels),
      dispose() {
        model.dispose();
        optimizer.dispose();
      },
    };
  };
  await (backend === 'webgpu' ? useStockWebGpu() : useBackend(backend));
  const stock = await train(create());
  if (backend === 'webgpu') await replaceStockWebGpu();
  const undo = patch();
  const patched = await train(create());
  undo();
  const learner = create();
  applyTo(learner.model, { print: false });
  return { tfjs: stock, 'liger.patch()': patched, 'liger.applyTo(model)': await train(learner) };
}

/** The model of an npm package: as it is, and after one line. It brings a WebGPU backend of its own, which then stays. */
async function runNanoGpt(backend: Backend, config: Config, train: Train): Promise<Record<string, Run>> {
  if (backend === 'tensorflow')
    throw new ArgumentError('nanogpt has no kernels for tensorflow, only for cpu and webgpu.');
  const nanoGpt = await importNanoGpt();
  const create = () => {
    const { nEmbd: nEmbed, nLayer, nHead, blockSize, vocabSize } = config;
    const model = createNanoGpt(nanoGpt, { nEmbed, nLayer, nHead, blockSize, vocabSize }, 1);
    const optimizer = createNanoGptOptimizer(nanoGpt, LEARNING_RATE);
    return {
      step: (tokens: tf.Tensor2D, labels: tf.Tensor2D) => trainNanoGpt(model, optimizer, tokens, labels),
      dispose() {
        model.dispose();
        optimizer.dispose();
      },
    };
  };
  await (backend === 'webgpu' ? useNanoGptWebGpu(nanoGpt) : useBackend(backend));
  const stock = await train(create());
  patch();
  return { tfjs: stock, 'liger.patch()': await train(create()) };
}

/** Characters as tokens, so that there are few of them. */
function readCharacters(): { tokens: number[]; vocabSize: number } {
  const text = [...readMobyDick().slice(0, 200_000)];
  const numbers = new Map([...new Set(text)].sort().map((character, i) => [character, i]));
  return { tokens: text.map((character) => numbers.get(character)!), vocabSize: numbers.size };
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** The most bytes that a step holds: on the device, where the backend counts them, and else of tensors. */
async function peakBytesOf(step: () => tf.Scalar): Promise<number> {
  const { resetPeakMemory } = tf.backend() as Partial<WebGPUBackend>;
  if (!resetPeakMemory) return (await tf.profile(() => tf.tidy(() => void step()))).peakBytes;
  const backend = tf.backend() as WebGPUBackend;
  backend.resetPeakMemory();
  step().dispose();
  return backend.memory().peakBytesInGPU;
}

async function trainOn(tokens: number[], { batch, blockSize }: Config, steps: number, learner: Learner): Promise<Run> {
  const random = createRandom(1);
  const next = () => randomBatch(tokens, batch, blockSize, random);
  const [losses, times]: [number[], number[]] = [[], []];
  for (let i = 0; i < steps; i++) {
    const { inputIds, labels } = next();
    const begin = performance.now();
    const loss = learner.step(inputIds, labels);
    losses.push((await loss.data())[0]!);
    times.push(performance.now() - begin);
    tf.dispose([inputIds, labels, loss]);
  }
  const { inputIds, labels } = next();
  const peakBytes = await peakBytesOf(() => learner.step(inputIds, labels));
  tf.dispose([inputIds, labels]);
  learner.dispose();
  return { losses, millisecondsOfStep: median(times), peakBytes };
}

/** How far losses are at most from those of another run. */
const differenceOf = (losses: readonly number[], others: readonly number[]) =>
  losses.reduce((most, loss, i) => Math.max(most, Math.abs(loss - others[i]!)), 0);

async function main(): Promise<void> {
  const { model, backend, steps, preset } = readArguments(adopters);
  const { tokens, vocabSize } = readCharacters();
  const config = { ...presets[preset], vocabSize };
  const run = model === 'minGpt' ? runMinGpt : runNanoGpt;
  const runs = await run(backend, config, (learner) => trainOn(tokens, config, steps, learner));

  const [stock] = Object.values(runs);
  const differences = Object.values(runs).map(({ losses }) => differenceOf(losses, stock!.losses));
  const table = new Table({
    head: [`${model}, ${preset}`, ...Object.keys(runs)],
    colAligns: ['left', ...differences.map(() => 'right' as const)],
    style: { head: [], border: [] },
  });
  const row = (title: string, value: (run: Run, i: number) => string) =>
    table.push([title, ...Object.values(runs).map(value)]);
  row('loss of step 1', ({ losses }) => losses[0]!.toFixed(6));
  row(`loss of step ${steps}`, ({ losses }) => losses.at(-1)!.toFixed(6));
  row('largest difference of losses', (_, i) => (i === 0 ? '' : differences[i]!.toExponential(1)));
  row('median time of a step', ({ millisecondsOfStep }) => `${millisecondsOfStep.toFixed(1)} ms`);
  row('peak memory of a step', ({ peakBytes }) => `${(peakBytes / 1e6).toFixed(1)} MB`);
  console.log(`${steps} steps on ${config.batch}×${config.blockSize} characters of Moby-Dick, on ${describeBackend()}`);
  console.log(table.toString());
  if (!(Math.max(...differences) <= TOLERANCE)) throw new Error(`The losses differ by more than ${TOLERANCE}.`);
}

await runExample(main);
