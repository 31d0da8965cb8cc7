import type * as tf from '@tensorflow/tfjs';
import { type BenchCase, forwardAndBackward } from '../../harness/bench_case.js';
import { noise } from '../../harness/inputs.js';

type Activation = (x: tf.Tensor) => tf.Tensor;

/** The case of an activation, which is the same for each. */
export function activation(op: string, ours: Activation, stock: Activation, quick: boolean): BenchCase {
  const shape = quick ? [64, 256] : [4096, 4096];
  const inputs = () => ({ x: noise(shape, 1), dy: noise(shape, 3) });
  const timed = (run: Activation) => forwardAndBackward(inputs, ['x'], ({ x }) => run(x));
  return {
    op,
    shape: shape.join('×'),
    timed: 'forward and backward',
    // Forward reads one and writes one, backward reads two and writes one.
    bytes: 5 * shape[0]! * shape[1]! * 4,
    ours: timed(ours),
    stock: timed(stock),
  };
}
