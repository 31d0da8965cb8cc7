import type * as tf from '@tensorflow/tfjs';
import { type BenchCase, forwardAndBackward } from '../../harness/bench_case.js';
import { noise } from '../../harness/inputs.js';

type Gated = (gate: tf.Tensor, up: tf.Tensor) => tf.Tensor;

/** The case of a gated linear unit, which is the same for every activation. */
export function gatedLinearUnit(op: string, ours: Gated, stock: Gated, quick: boolean): BenchCase {
  const shape = quick ? [64, 256] : [4096, 11008];
  const inputs = () => ({ gate: noise(shape, 1), up: noise(shape, 3), dy: noise(shape, 5) });
  const both = (run: Gated) => forwardAndBackward(inputs, ['gate', 'up'], ({ gate, up }) => run(gate, up));
  return {
    op,
    shape: shape.join('×'),
    timed: 'forward and backward',
    target: quick ? undefined : 0.35,
    // Forward reads two and writes one, backward reads three and writes two.
    bytes: 8 * shape[0]! * shape[1]! * 4,
    ours: both(ours),
    stock: both(stock),
  };
}
