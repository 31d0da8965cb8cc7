import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import type { BenchCase, Subject } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';
import { clipByGlobalNorm } from '../harness/stock_clipping.js';

/** The parameters of one of GPT-2's blocks. */
const blockShapes = (hidden: number): number[][] => [
  [hidden],
  [hidden],
  [hidden, 3 * hidden],
  [3 * hidden],
  [hidden, hidden],
  [hidden],
  [hidden],
  [hidden],
  [hidden, 4 * hidden],
  [4 * hidden],
  [4 * hidden, hidden],
  [hidden],
];

const LEARNING_RATE = 1e-3;

type Optimizer = Pick<tf.Optimizer, 'applyGradients' | 'dispose'>;

/** Steps an optimizer with the same gradients again and again. */
function stepping(
  shapes: number[][],
  makeOptimizer: () => Optimizer,
  prepare: (gradients: tf.NamedTensorMap) => tf.NamedTensorMap,
): Subject {
  const variables = shapes.map((shape, i) => tf.tidy(() => tf.variable(noise(shape, 2 * i, 0.02))));
  const gradients = shapes.map((shape, i) => noise(shape, 2 * i + 1000, 1e-3));
  const named = Object.fromEntries(variables.map(({ name }, i) => [name, gradients[i]!]));
  const optimizer = makeOptimizer();
  return {
    call: () => {
      optimizer.applyGradients(prepare(named));
      return [];
    },
    // Copies: the optimizer may write where the variables are.
    outputs: () => variables.slice(0, 4).map((variable) => tf.mul(variable, 1)),
    dispose: () => {
      optimizer.dispose();
      tf.dispose([variables, gradients]);
    },
  };
}

export function adamW(quick: boolean): BenchCase[] {
  const [blocks, hidden] = quick ? [1, 32] : [12, 768];
  const shapes = Array.from({ length: blocks }, () => blockShapes(hidden)).flat();
  const parameters = shapes.reduce((total, shape) => total + tf.util.sizeFromShape(shape), 0);
  const size = quick ? `${parameters}` : `${Math.round(parameters / 1e6)}M`;
  return [
    {
      op: 'adamW',
      shape: `${size} parameters, ${shapes.length} tensors, clipped`,
      timed: 'step',
      target: quick ? undefined : 0.8,
      // Parameters and both averages are read and written, gradients read, and read once more for their norm.
      bytes: 8 * parameters * 4,
      ours: () =>
        stepping(
          shapes,
          () => liger.train.adamW({ learningRate: LEARNING_RATE, weightDecay: 0, clipNorm: 1 }),
          (gradients) => gradients,
        ),
      stock: () =>
        stepping(
          shapes,
          () => tf.train.adam(LEARNING_RATE, 0.9, 0.999, 1e-8),
          (gradients) => clipByGlobalNorm(gradients, 1),
        ),
    },
  ];
}
