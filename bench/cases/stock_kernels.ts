import * as tf from '@tensorflow/tfjs';
import { type BenchCase, forwardAndBackward, onInputs } from '../harness/bench_case.js';
import { indices, noise } from '../harness/inputs.js';

type Case = Pick<BenchCase, 'shape' | 'timed' | 'bytes' | 'operations' | 'ours'>;

/** tfjs's own functions, with this library's kernels in the place of tfjs's own, and without. */
export function stockKernels(quick: boolean): BenchCase[] {
  const scale = quick ? 16 : 1;
  const [rows, hidden, wide] = [4096 / scale, 768 / scale, 3072 / scale];
  const layer = () => ({ x: noise([rows, hidden], 1), weight: noise([hidden, wide], 3, 0.02) });
  const [heads, length, head] = quick ? [4, 32, 16] : [96, 256, 64];
  const attention = () => ({ q: noise([heads, length, head], 1), k: noise([heads, head, length], 3) });
  const size = 4096 / scale;
  const matrix = { shape: `${size}×${size}`, timed: 'forward' as const };
  const square = () => ({ x: noise([size, size], 1, 3) });
  const whole = size * size * 4;
  const ofMatrix = (name: string, bytes: number, f: (x: tf.Tensor) => tf.Tensor): Case => ({
    ...matrix,
    shape: `${name} ${matrix.shape}`,
    bytes,
    ours: onInputs(square, ({ x }) => [f(x)]),
  });
  const layout = quick ? [2, 16, 4, 16] : [8, 1024, 12, 64];
  const [vocabulary, tokens] = quick ? [100, 32] : [50304, 8192];
  const table = () => ({
    x: noise([vocabulary, hidden], 1),
    ids: indices([tokens], vocabulary, 3),
    dy: noise([tokens, hidden], 5),
  });
  const gathered = tokens * hidden * 4;
  const cases: Case[] = [
    {
      shape: `matMul ${rows}×${hidden}×${wide}`,
      timed: 'forward',
      operations: 2 * rows * hidden * wide,
      ours: onInputs(layer, ({ x, weight }) => [tf.matMul(x, weight)]),
    },
    {
      shape: `matMul ${heads}×${length}×${head}×${length}`,
      timed: 'forward',
      operations: 2 * heads * length * head * length,
      bytes: 4 * heads * length * (2 * head + length),
      ours: onInputs(attention, ({ q, k }) => [tf.matMul(q, k)]),
    },
    ofMatrix('softmax', 2 * whole, (x) => tf.softmax(x)),
    ofMatrix('logSoftmax', 2 * whole, (x) => tf.logSoftmax(x)),
    ofMatrix('sum', whole, (x) => tf.sum(x, -1)),
    ofMatrix('sum of all', whole, (x) => tf.sum(tf.square(x))),
    ofMatrix('sum of rows', whole, (x) => tf.sum(x, 0)),
    ofMatrix('mean', whole, (x) => tf.mean(x, -1)),
    ofMatrix('max', whole, (x) => tf.max(x, -1)),
    ofMatrix('transpose', 2 * whole, (x) => tf.transpose(x)),
    {
      shape: `transpose ${layout.join('×')} to 0213`,
      timed: 'forward',
      bytes: 2 * 4 * tf.util.sizeFromShape(layout),
      ours: onInputs(
        () => ({ x: noise(layout, 1) }),
        ({ x }) => [tf.transpose(x, [0, 2, 1, 3])],
      ),
    },
    {
      shape: `gather ${tokens} of ${vocabulary}×${hidden}`,
      timed: 'forward and backward',
      bytes: 3 * gathered + vocabulary * hidden * 4,
      ours: forwardAndBackward(table, ['x'], ({ x, ids }) => tf.gather(x, ids)),
    },
    {
      shape: `mean ${size}×${size}`,
      timed: 'forward and backward',
      bytes: 2 * whole,
      ours: forwardAndBackward(square, ['x'], ({ x }) => tf.mean(x)),
    },
  ];
  return cases.map((given) => ({ op: 'stockKernels', ...given, stock: given.ours }));
}
