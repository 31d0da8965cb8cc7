/**
 * Trains a small Llama alone, and taught by a larger one: npm run distill, or
 *   node --import tsx examples/distill/train.ts --help
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
import type { Point } from '../support/line_chart.js';
import { meanLoss } from '../support/mean_loss.js';
import { readMobyDick, tokenize } from '../support/prose.js';
import { createRandom } from '../support/random.js';
import { runExample } from '../support/run_example.js';
import { type Batch, randomBatch, spreadBatches } from '../support/token_batches.js';
import { type Curves, drawLossChart } from './loss_chart.js';
import { distill } from './options.mjs';
import { distillationLoss, withTeacher } from './teaching.js';

const { config, contextLength, batchSize, learningRate } = presets.small;
/** Half as wide as the teacher, and half as deep. */
const studentConfig = { ...config, hidden_size: 64, intermediate_size: 176, head_dim: 16, num_hidden_layers: 2 };
/** How often held-out losses are measured, besides before the first step. */
const MEASUREMENTS = 6;

/** One step for each batch, at a learning rate that falls to a tenth. */
async function trainModel<B extends Batch>(
  steps: number,
  nextBatch: () => B,
  lossOf: (batch: B) => tf.Scalar,
  afterStep?: (step: number) => Promise<void>,
): Promise<void> {
  const optimizer = train.adamW({ clipNorm: 1 });
  for (let step = 0; step < steps; step++) {
    optimizer.learningRate = learningRate * (1 - (0.9 * step) / steps);
    const batch = nextBatch();
    optimizer.minimize(() => lossOf(batch));
    tf.dispose(batch as unknown as tf.TensorContainer);
    await afterStep?.(step + 1);
  }
  optimizer.dispose();
}

/** Trains a new student, which starts from the same parameters each time. Returns its losses on held-out text. */
async function trainStudent<B extends Batch>(
  steps: number,
  heldOut: Batch[],
  nextBatch: () => B,
  lossOf: (student: Llama, batch: B) => tf.Scalar,
): Promise<Point[]> {
  const student = createLlama(studentConfig, 2);
  const curve: Point[] = [[0, await meanLoss(student, heldOut)]];
  const measure = async (step: number) => {
    if (step % Math.ceil(steps / MEASUREMENTS) !== 0 && step !== steps) return;
    curve.push([step, await meanLoss(student, heldOut)]);
  };
  await trainModel(steps, nextBatch, (batch) => lossOf(student, batch), measure);
  student.dispose();
  return curve;
}

function formatLosses({ teacher, alone, distilled }: Curves): string {
  const table = new Table({
    head: ['step', 'teacher', 'student alone', 'distilled student'],
    colAligns: ['right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const [i, [step]] of alone.entries()) {
    table.push([step, ...[teacher, alone, distilled].map((curve) => curve[i]![1].toFixed(3))]);
  }
  return table.toString();
}

async function main(): Promise<void> {
  const { pretraining, steps, temperature, backend, out } = readArguments(distill);
  await useBackend(backend);
  const tokens = tokenize(readMobyDick());
  const heldOut = spreadBatches(tokens.heldOut, batchSize, contextLength, 4);
  const batchesOf = (seed: number) => {
    const random = createRandom(seed);
    return () => randomBatch(tokens.training, batchSize, contextLength, random);
  };

  const teacher = createLlama(config, 1);
  console.log(`The teacher: ${pretraining} steps of next-token prediction on Moby-Dick, on ${describeBackend()} …`);
  await trainModel(pretraining, batchesOf(1), ({ inputIds, labels }) => teacher.loss(inputIds, labels));
  const teacherLoss = await meanLoss(teacher, heldOut);

  console.log(`A student alone: ${steps} steps …`);
  const alone = await trainStudent(steps, heldOut, batchesOf(2), (student, { inputIds, labels }) =>
    student.loss(inputIds, labels),
  );

  console.log('The same student on the same batches, distilled from the teacher …');
  const nextBatch = batchesOf(2);
  const distilled = await trainStudent(
    steps,
    heldOut,
    () => withTeacher(teacher, nextBatch()),
    (student, batch) => distillationLoss(student, teacher, batch, temperature),
  );
  tf.dispose(heldOut as unknown as tf.TensorContainer);
  teacher.dispose();
  const curves: Curves = { teacher: alone.map(([step]) => [step, teacherLoss]), alone, distilled };
  console.log(`Losses on the held-out text:\n${formatLosses(curves)}`);

  const file = path.join(out, 'losses.svg');
  await mkdir(out, { recursive: true });
  await writeFile(file, drawLossChart('A small Llama on Moby-Dick, alone and distilled from a larger one', curves));
  console.log(`Saved ${file}`);
}

await runExample(main);
