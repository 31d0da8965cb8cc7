/**
 * Trains a small Llama to prefer true continuations to shuffled ones: npm run dpo, or
 *   node --import tsx examples/dpo/train.ts --help
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import Table from 'cli-table3';
import { readArguments } from '../../scripts/lib/arguments.mjs';
import { train } from '../../src/index.js';
import { createLlama, type Llama } from '../llama/model.js';
import { presets } from '../llama/presets.js';
import { describeBackend, useBackend } from '../support/choose_backend.js';
import { readMobyDick, tokenize } from '../support/prose.js';
import { createRandom } from '../support/random.js';
import { runExample } from '../support/run_example.js';
import { randomBatch } from '../support/token_batches.js';
import { dpo } from './options.mjs';
import { randomPairs } from './pairs.js';
import { drawRewardChart } from './reward_chart.js';
import { lossAndRewards, measureRewards, type PreferenceBatch, type Rewards, withReference } from './rewards.js';

const { config, contextLength, batchSize, learningRate } = presets.small;
/** Of preference optimization, which starts from a model that is trained. */
const DPO_LEARNING_RATE = 4e-4;
/** How often rewards are measured, besides before the first step. */
const MEASUREMENTS = 6;

type Random = () => number;

type Curve = [step: number, rewards: Rewards][];

/** Next-token prediction. Returns the loss of the last step. */
async function pretrain(model: Llama, tokens: number[], steps: number, random: Random): Promise<number> {
  const optimizer = train.adamW({ learningRate, clipNorm: 1 });
  let last = Number.NaN;
  for (let step = 0; step < steps; step++) {
    const { inputIds, labels } = randomBatch(tokens, batchSize, contextLength, random);
    const loss = optimizer.minimize(() => model.loss(inputIds, labels), true)!;
    last = (await loss.data())[0]!;
    tf.dispose([inputIds, labels, loss]);
  }
  optimizer.dispose();
  return last;
}

/** Preference optimization, one step for each batch. */
async function optimize(
  model: Llama,
  batches: PreferenceBatch[],
  beta: number,
  afterStep: (step: number) => Promise<void>,
): Promise<void> {
  const optimizer = train.adamW({ learningRate: DPO_LEARNING_RATE, clipNorm: 1 });
  for (const [i, batch] of batches.entries()) {
    optimizer.minimize(() => lossAndRewards(model, batch, beta).loss);
    tf.dispose(batch as unknown as tf.TensorContainer);
    await afterStep(i + 1);
  }
  optimizer.dispose();
}

function formatRewards(curve: Curve): string {
  const table = new Table({
    head: ['step', 'chosen', 'rejected', 'margin', 'accuracy'],
    colAligns: ['right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const [step, { chosen, rejected, margin, accuracy }] of curve) {
    const rewards = [chosen, rejected, margin].map((value) => value.toFixed(3));
    table.push([step, ...rewards, `${(100 * accuracy).toFixed(0)} %`]);
  }
  return table.toString();
}

async function main(): Promise<void> {
  const { pretraining, steps, pairs, 'held-out': heldOutPairs, beta, backend, out } = readArguments(dpo);
  await useBackend(backend);
  const random = createRandom(1);
  const tokens = tokenize(readMobyDick());
  const model = createLlama(config, 1);
  console.log(`${pretraining} steps of next-token prediction on Moby-Dick, on ${describeBackend()} …`);
  const loss = await pretrain(model, tokens.training, pretraining, random);
  console.log(`Loss of the last one: ${loss.toFixed(3)}\n\n${steps} steps of ${pairs} pairs …`);

  // Before the first step, since the model is its own reference.
  const heldOut = withReference(model, randomPairs(tokens.heldOut, heldOutPairs, random));
  const batches = Array.from({ length: steps }, () =>
    withReference(model, randomPairs(tokens.training, pairs, random)),
  );
  const curve: Curve = [[0, await measureRewards(model, heldOut, beta)]];
  await optimize(model, batches, beta, async (step) => {
    if (step % Math.ceil(steps / MEASUREMENTS) !== 0 && step !== steps) return;
    curve.push([step, await measureRewards(model, heldOut, beta)]);
  });
  tf.dispose(heldOut as unknown as tf.TensorContainer);
  model.dispose();
  console.log(`Rewards of ${heldOutPairs} pairs from the held-out text:\n${formatRewards(curve)}`);

  const file = path.join(out, 'rewards.svg');
  await mkdir(out, { recursive: true });
  await writeFile(file, drawRewardChart('Preferring how Moby-Dick goes on to the same tokens shuffled', curve));
  console.log(`Saved ${file}`);
}

await runExample(main);
