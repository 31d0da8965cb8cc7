import type * as tf from '@tensorflow/tfjs';
import { embedding as stockEmbedding } from '../../examples/support/stock_ops.js';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { indices, noise } from '../harness/inputs.js';

export function embedding(quick: boolean): BenchCase[] {
  const [vocabulary, hidden, batch, length] = quick ? [100, 64, 2, 16] : [50304, 768, 8, 1024];
  const rows = batch * length * hidden * 4;
  const inputs = () => ({
    table: noise([vocabulary, hidden], 1),
    ids: indices([batch, length], vocabulary, 3),
    dy: noise([batch, length, hidden], 5),
  });
  return [
    {
      op: 'embedding',
      shape: `${batch}×${length} of ${vocabulary}×${hidden}`,
      timed: 'forward and backward',
      target: quick ? undefined : 0.07,
      // Forward reads and writes the rows, backward reads dy and writes the whole table's gradient.
      bytes: 3 * rows + vocabulary * hidden * 4,
      ours: forwardAndBackward(inputs, ['table'], ({ table, ids }) => liger.embedding(table, ids)),
      stock: forwardAndBackward(inputs, ['table'], ({ table, ids }) => stockEmbedding(table, ids as tf.Tensor2D)),
    },
  ];
}
