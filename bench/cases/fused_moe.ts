import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';

interface Moe {
  x: tf.Tensor;
  gateUpProj: tf.Tensor;
  downProj: tf.Tensor;
  topKIndex: tf.Tensor;
  topKWeights: tf.Tensor;
}

/** Every expert over all tokens, in a loop, each result times the weight that the token has for the expert. */
function stock({ x, gateUpProj, downProj, topKIndex, topKWeights }: Moe): tf.Tensor {
  const [experts, hidden, intermediate] = downProj.shape as [number, number, number];
  let y: tf.Tensor | undefined;
  for (let expert = 0; expert < experts; expert++) {
    const gateUp = tf.reshape(tf.slice(gateUpProj, [expert, 0, 0], [1, -1, -1]), [2 * intermediate, hidden]);
    const down = tf.reshape(tf.slice(downProj, [expert, 0, 0], [1, -1, -1]), [hidden, intermediate]);
    const [gate, up] = tf.split(tf.matMul(x, gateUp, false, true), 2, -1) as [tf.Tensor, tf.Tensor];
    const result = tf.matMul(tf.mul(tf.mul(gate, tf.sigmoid(gate)), up), down, false, true);
    const isChosen = tf.cast(tf.equal(topKIndex, tf.scalar(expert, 'int32')), 'float32');
    const weighted = tf.mul(result, tf.sum(tf.mul(topKWeights, isChosen), 1, true));
    y = y ? tf.add(y, weighted) : weighted;
  }
  return y!;
}

/** K experts of each token, all different, spread over the experts as by chance. */
function choose(tokens: number, k: number, experts: number): tf.Tensor {
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const index = new Int32Array(tokens * k);
  for (let token = 0; token < tokens; token++) {
    const chosen = new Set<number>();
    while (chosen.size < k) chosen.add(Math.floor(next() * experts));
    index.set([...chosen], token * k);
  }
  return tf.tensor(index, [tokens, k], 'int32');
}

export function fusedMoe(quick: boolean): BenchCase[] {
  const [tokens, hidden, intermediate, experts, k] = quick ? [64, 32, 16, 8, 2] : [4096, 1024, 512, 64, 8];
  const inputs = () => ({
    x: noise([tokens, hidden], 1),
    gateUpProj: noise([experts, 2 * intermediate, hidden], 3, 0.02),
    downProj: noise([experts, hidden, intermediate], 5, 0.02),
    topKIndex: choose(tokens, k, experts),
    topKWeights: tf.mul(tf.abs(noise([tokens, k], 7)), 1 / k),
    dy: noise([tokens, hidden], 9),
  });
  return [
    {
      op: 'fusedMoe',
      shape: `${tokens}×${hidden}, ${k} of ${experts} experts of ${intermediate}`,
      timed: 'forward and backward',
      operations: 18 * tokens * k * hidden * intermediate,
      ours: forwardAndBackward(
        inputs,
        ['x', 'gateUpProj', 'downProj', 'topKWeights'],
        ({ x, gateUpProj, downProj, topKIndex, topKWeights }) =>
          liger.fusedMoe(x, gateUpProj, downProj, topKIndex, topKWeights),
      ),
      stock: forwardAndBackward(inputs, ['x', 'gateUpProj', 'downProj', 'topKWeights'], stock),
    },
  ];
}
