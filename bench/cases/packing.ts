import * as tf from '@tensorflow/tfjs';
import { type Gpt2Config, gpt2Config } from '../../examples/gpt2/config.js';
import { createGpt2 } from '../../examples/gpt2/model.js';
import { type Batch, paddedBatch } from '../../examples/support/token_batches.js';
import * as liger from '../../src/index.js';
import type { BenchCase, Subject } from '../harness/bench_case.js';

/** Lengths of sequences by that of the longest, in sixteenths of it: half of what padded rows hold is padding. */
const LENGTHS: Readonly<Record<number, readonly number[]>> = {
  1024: [16, 15, 14, 13, 12, 11, 10, 8, 6, 5, 4, 4, 4, 3, 2, 1],
  2048: [16, 15, 10, 8, 6, 5, 3, 1],
};
const QUICK_LENGTHS = { 32: LENGTHS[2048]! };

type Arranged = Batch & { packing?: { segmentIds: tf.Tensor2D; positions: tf.Tensor2D } };

/** Training steps of GPT-2 on sequences of different lengths. */
function training(config: Gpt2Config, arrange: () => Arranged): Subject {
  const model = createGpt2(config, 1);
  const optimizer = liger.train.adamW({ learningRate: 3e-4, weightDecay: 0.1, clipNorm: 1 });
  const { inputIds, labels, packing } = arrange();
  const variables = Object.values(model.variables);
  return {
    call: () => {
      const { value, grads } = tf.variableGrads(() => model.loss(inputIds, labels, packing), variables);
      optimizer.applyGradients(grads);
      return [value];
    },
    dispose: () => {
      optimizer.dispose();
      model.dispose();
      tf.dispose([inputIds, labels, ...Object.values(packing ?? {})]);
    },
  };
}

/** The same sequences padded to the longest, and packed into half as many rows. */
export function packing(quick: boolean): BenchCase[] {
  return Object.entries(quick ? QUICK_LENGTHS : LENGTHS).flatMap(([length, sixteenths]) => {
    const longest = Number(length);
    const config: Gpt2Config = quick
      ? { ...gpt2Config, vocab_size: 128, n_positions: longest, n_embd: 32, n_layer: 1, n_head: 2 }
      : { ...gpt2Config, vocab_size: 50304, n_positions: longest };
    const sequences = sixteenths.map((share, i) =>
      Array.from({ length: (share * longest) / 16 }, (_, t) => (7 * t + 31 * i) % config.vocab_size),
    );
    const arrangements: Record<string, () => Arranged> = {
      padded: () => paddedBatch(sequences, longest),
      packed: () => {
        const { tokens, labels, segmentIds, positions } = liger.packSequences(sequences, { length: longest });
        return { inputIds: tokens, labels, packing: { segmentIds, positions } };
      },
    };
    return Object.entries(arrangements).map(([name, arrange]) => ({
      op: 'packing',
      shape: `${quick ? 'tiny' : '124M'}, ${sequences.length} sequences up to ${longest}, ${name}`,
      timed: 'step' as const,
      totalMemory: true,
      ours: () => training(config, arrange),
    }));
  });
}
