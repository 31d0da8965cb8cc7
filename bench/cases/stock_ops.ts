import * as tf from '@tensorflow/tfjs';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';

const ofOne: Readonly<Record<string, (x: tf.Tensor2D) => tf.Tensor>> = {
  abs: tf.abs,
  atan: tf.atan,
  clipByValue: (x) => tf.clipByValue(x, -1, 1),
  cos: tf.cos,
  elu: tf.elu,
  erf: tf.erf,
  exp: tf.exp,
  floor: tf.floor,
  leakyRelu: (x) => tf.leakyRelu(x),
  log: (x) => tf.log(tf.abs(x)),
  log1p: (x) => tf.log1p(tf.abs(x)),
  neg: tf.neg,
  pow: (x) => tf.pow(tf.abs(x), 1.5),
  reciprocal: (x) => tf.reciprocal(tf.add(tf.square(x), 1)),
  relu: tf.relu,
  relu6: tf.relu6,
  rsqrt: (x) => tf.rsqrt(tf.add(tf.square(x), 1)),
  selu: tf.selu,
  sigmoid: tf.sigmoid,
  sin: tf.sin,
  softplus: tf.softplus,
  sqrt: (x) => tf.sqrt(tf.abs(x)),
  square: tf.square,
  tanh: tf.tanh,
  cumsum: (x) => tf.cumsum(x, 1),
  logSoftmax: (x) => tf.logSoftmax(x),
  logSumExp: (x) => tf.logSumExp(x, 1),
  max: (x) => tf.max(x, 1),
  mean: (x) => tf.mean(x, 1),
  'mean of columns': (x) => tf.mean(x, 0),
  min: (x) => tf.min(x, 1),
  moments: (x) => tf.moments(x, 1).variance,
  norm: (x) => tf.norm(x, 2, 1),
  pad: (x) =>
    tf.pad(x, [
      [1, 1],
      [1, 1],
    ]),
  prod: (x) => tf.prod(tf.add(tf.mul(x, 1e-3), 1), 1),
  reshape: (x) => tf.reshape(x, [-1]),
  reverse: (x) => tf.reverse(x, 1),
  slice: (x) => tf.slice(x, [1, 1]),
  softmax: (x) => tf.softmax(x),
  split: (x) => tf.add(...(tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor])),
  sum: (x) => tf.sum(x, 1),
  'sum of all': (x) => tf.sum(x),
  tile: (x) => tf.tile(tf.slice(x, [0, 0], [-1, 1]), [1, x.shape[1]]),
  transpose: (x) => tf.transpose(x),
};

const ofTwo: Readonly<Record<string, (x: tf.Tensor2D, y: tf.Tensor2D) => tf.Tensor>> = {
  add: tf.add,
  div: (x, y) => tf.div(x, tf.add(tf.square(y), 1)),
  maximum: tf.maximum,
  minimum: tf.minimum,
  mul: tf.mul,
  squaredDifference: tf.squaredDifference,
  sub: tf.sub,
  where: (x, y) => tf.where(tf.fill(x.shape, 1, 'bool'), x, y),
  'add of a row': (x, y) => tf.add(x, tf.slice(y, [0, 0], [1, -1])),
  'mul by a column': (x, y) => tf.mul(x, tf.slice(y, [0, 0], [-1, 1])),
  concat: (x, y) => tf.concat([x, y], 1),
  stack: (x, y) => tf.stack([x, y]),
};

/**
 * tfjs's differentiable ops, forward and backward, beside the time of reading two matrices and writing one: what is far from it is
 * worth a kernel or a gradient of its own. `--backend=webgpu-stock` has tfjs's own.
 */
export function stockOps(quick: boolean): BenchCase[] {
  const size = quick ? 64 : 2048;
  const x = () => noise([size, size], 1) as tf.Tensor2D;
  const y = () => noise([size, size], 3) as tf.Tensor2D;
  const row = (name: string, ours: BenchCase['ours']): BenchCase => ({
    op: 'stockOps',
    shape: `${name} ${size}×${size}`,
    timed: 'forward and backward',
    bytes: 3 * 4 * size * size,
    ours,
  });
  return [
    ...Object.entries(ofOne).map(([name, op]) =>
      row(
        name,
        forwardAndBackward(
          () => ({ x: x() }),
          ['x'],
          ({ x }) => op(x),
        ),
      ),
    ),
    ...Object.entries(ofTwo).map(([name, op]) =>
      row(
        name,
        forwardAndBackward(
          () => ({ x: x(), y: y() }),
          ['x', 'y'],
          ({ x, y }) => op(x, y),
        ),
      ),
    ),
  ];
}
