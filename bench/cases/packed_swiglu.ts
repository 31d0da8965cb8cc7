import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';

function stock(gateUp: tf.Tensor): tf.Tensor {
  const [gate, up] = tf.split(gateUp, 2, -1) as [tf.Tensor, tf.Tensor];
  return tf.mul(tf.mul(gate, tf.sigmoid(gate)), up);
}

export function packedSwiglu(quick: boolean): BenchCase[] {
  const [rows, width] = quick ? [64, 256] : [4096, 11008];
  const inputs = () => ({ gateUp: noise([rows, 2 * width], 1), dy: noise([rows, width], 3) });
  return [
    {
      op: 'packedSwiglu',
      shape: `${rows}×${2 * width}`,
      timed: 'forward and backward',
      // Forward reads two and writes one, backward reads three and writes two.
      bytes: 8 * rows * width * 4,
      ours: forwardAndBackward(inputs, ['gateUp'], ({ gateUp }) => liger.packedSwiglu(gateUp)),
      stock: forwardAndBackward(inputs, ['gateUp'], ({ gateUp }) => stock(gateUp)),
    },
  ];
}
