import * as tf from '@tensorflow/tfjs';
import { type Gpt2Config, gpt2Config } from '../../examples/gpt2/config.js';
import { createGpt2 } from '../../examples/gpt2/model.js';
import { createStockGpt2 } from '../../examples/gpt2/stock.js';
import type { BenchCase } from '../harness/bench_case.js';
import { clipByGlobalNorm } from '../harness/stock_clipping.js';
import { capturedTraining, LEARNING_RATE, training, trainingOfOurs } from './shared/training_steps.js';

export function gpt2(quick: boolean): BenchCase[] {
  const config: Gpt2Config = quick
    ? { ...gpt2Config, vocab_size: 128, n_positions: 32, n_embd: 32, n_layer: 1, n_head: 2 }
    : { ...gpt2Config, vocab_size: 50304 };
  const { vocab_size, n_embd, n_layer } = config;
  const sizes = quick ? [[1, 16, undefined] as const] : [[4, 256, 21] as const, [4, 1024, 86] as const];
  const recomputing: BenchCase[] = sizes.slice(-1).map(([batch, length]) => ({
    op: 'gpt2',
    shape: `${quick ? 'tiny' : '124M'}, batch ${batch}×${length}, blocks recomputed`,
    timed: 'step',
    totalMemory: true,
    ours: () => trainingOfOurs(createGpt2(config, 1, { recomputesBlocks: true }), config, [batch, length]),
  }));
  const captured = sizes.map(
    ([batch, length, target]): BenchCase => ({
      op: 'gpt2',
      shape: `${quick ? 'tiny' : '124M'}, batch ${batch}×${length}, captured`,
      timed: 'step',
      target,
      totalMemory: true,
      ours: () => capturedTraining(createGpt2(config, 1), config, [batch, length]),
    }),
  );
  const cases = sizes.map(([batch, length, target]): BenchCase => {
    const tokens = batch * length;
    const weights = 12 * n_layer * n_embd ** 2 + vocab_size * n_embd;
    // Without the masked half.
    const attention = 2 * n_layer * n_embd * length;
    return {
      op: 'gpt2',
      shape: `${quick ? 'tiny' : '124M'}, batch ${batch}×${length}`,
      timed: 'step',
      target,
      operations: 3 * tokens * (2 * weights + attention),
      stockBytes: 16 * 124e6 + tokens * (8 * 4 * vocab_size + 4 * n_layer * (40 * n_embd + 60 * length)),
      totalMemory: true,
      ours: () => trainingOfOurs(createGpt2(config, 1), config, [batch, length]),
      stock: () =>
        training(createStockGpt2(config, 1), config, [batch, length], tf.train.adam(LEARNING_RATE), (gradients) =>
          clipByGlobalNorm(gradients, 1),
        ),
    };
  });
  return [...cases, ...captured, ...recomputing];
}
