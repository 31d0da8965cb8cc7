import { expect } from 'chai';
import { capture, crossEntropy, flashAttention, linear, rmsNorm, train } from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { target, tf } from '../support/backend.js';
import { expectError, expectNoLeak } from '../support/golden.js';

type Optimizer = { minimize(f: () => tf.Scalar, returnCost?: boolean): tf.Scalar | null };

/** A small model with its own variables, and a step that trains it. */
function makeTrainer(makeOptimizer: () => tf.Optimizer) {
  const [width, classes] = [8, 5];
  const initial = [random([width], 1), random([classes, width], 2)];
  const gamma = tf.variable(initial[0]!);
  const weight = tf.variable(initial[1]!);
  tf.dispose(initial);
  const optimizer = makeOptimizer();
  const step = (x: tf.Tensor, labels: tf.Tensor) =>
    (optimizer as Optimizer).minimize(
      () => crossEntropy(linear(rmsNorm(x, gamma), weight), labels) as tf.Scalar,
      true,
    )!;
  return {
    step,
    optimizer,
    variables: { gamma, weight },
    dispose() {
      optimizer.dispose();
      tf.dispose([gamma, weight]);
    },
  };
}

/** The losses of steps over batches of these lengths, and what the variables are then. */
async function trainOver(lengths: number[], makeOptimizer: () => tf.Optimizer, isCaptured: boolean) {
  const trainer = makeTrainer(makeOptimizer);
  const step = isCaptured ? capture(trainer.step) : trainer.step;
  const losses: number[] = [];
  for (const [i, length] of lengths.entries()) {
    const [x, labels] = [random([length, 8], i + 3), tf.range(0, length, 1, 'int32')];
    const classes = tf.tidy(() => tf.mod(labels, tf.scalar(5, 'int32')));
    const loss = step(x, classes);
    losses.push((await loss.data())[0]!);
    tf.dispose([x, labels, classes, loss]);
  }
  const { gamma, weight } = trainer.variables;
  const values = [await gamma.array(), await weight.array()];
  if (isCaptured) (step as ReturnType<typeof capture>).dispose();
  trainer.dispose();
  return { losses, values };
}

const optimizers = {
  'train.adamW': () => train.adamW({ learningRate: 0.01, clipNorm: 1 }),
  'tf.train.adam': () => tf.train.adam(0.01),
  'tf.train.sgd': () => tf.train.sgd(0.1),
  'tf.train.rmsprop': () => tf.train.rmsprop(0.01, 0.9, 0.9),
};

describe('capture', () => {
  for (const [name, makeOptimizer] of Object.entries(optimizers)) {
    it(`gives the numbers of the step itself, bit for bit, with ${name}`, async () => {
      await expectNoLeak(async () => {
        const lengths = [6, 6, 6, 6, 3, 3, 6, 6, 3, 3, 6, 7, 7];
        const eager = await trainOver(lengths, makeOptimizer, false);
        expect(await trainOver(lengths, makeOptimizer, true)).to.deep.equal(eager);
      });
    });
  }
});
