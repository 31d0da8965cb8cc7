import type { AdamOptimizer, Scalar, Tensor, Variable } from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { type Captured, capture } from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { expectClose, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';
import { withAndWithout, withPatch } from './patched.js';

const SHAPES = [[3], [2, 5], [], [1], [4, 33]];

const variablesOf = () => SHAPES.map((shape, i) => tf.tidy(() => tf.variable(random(shape, 1 + i))));

/** Gradients of a step, by the variables' names; the first `frozen` ones have none. */
function gradientsOf(variables: readonly Variable[], step: number, frozen: number): Record<string, Tensor> {
  const gradients = variables.map(({ name, shape }, i) => [name, tf.mul(random(shape, 0.1 + i), 1 + step)] as const);
  return Object.fromEntries(gradients.slice(frozen));
}

function apply(optimizer: AdamOptimizer, variables: readonly Variable[], step: number, frozen = 0): void {
  const gradients = tf.tidy(() => gradientsOf(variables, step, frozen));
  optimizer.applyGradients(gradients as never);
  tf.dispose(gradients);
}

const numbers = async (tensors: readonly Tensor[]) =>
  (await Promise.all(tensors.map(async (tensor) => Array.from(await tensor.data())))).flat();

async function train(steps: number) {
  const variables = variablesOf();
  const optimizer = tf.train.adam(0.01, 0.8, 0.99, 1e-6);
  for (let step = 0; step < steps; step++) apply(optimizer, variables, step);
  const weights = await optimizer.getWeights();
  const result = {
    names: weights.map(({ name }) => name.replace(/\d+/, '#')),
    variables: await numbers(variables),
    moments: await numbers(weights.map(({ tensor }) => tensor)),
  };
  tf.dispose([variables, weights[0]!.tensor]);
  optimizer.dispose();
  return result;
}

describe('tf.train.adam, patched', () => {
  it("updates as tfjs's does, with its state, and leaks nothing", async () => {
    const before = tf.memory().numTensors;
    const { patched, expected } = await withAndWithout(() => train(5));
    expect(patched.names).to.deep.equal(expected.names);
    await expectClose(patched.variables, expected.variables, OUTPUT_TOLERANCE);
    await expectClose(patched.moments, expected.moments, GRADIENT_TOLERANCE);
    expect(tf.memory().numTensors).to.equal(before);
  });

  it("goes on from tfjs's state, and tfjs from its", async () => {
    const run = async (isPatched: (step: number) => boolean) => {
      const variables = variablesOf();
      const optimizer = tf.train.adam(0.01);
      for (let step = 0; step < 4; step++) {
        const one = () => apply(optimizer, variables, step);
        if (isPatched(step)) await withPatch(one);
        else one();
      }
      const result = await numbers(variables);
      tf.dispose(variables);
      optimizer.dispose();
      return result;
    };
    const expected = await run(() => false);
    await expectClose(await run((step) => step % 2 === 1), expected, OUTPUT_TOLERANCE);
    await expectClose(await run((step) => step % 2 === 0), expected, OUTPUT_TOLERANCE);
  });

  it('keeps the moments of each variable where others are frozen for a while', async () => {
    await withPatch(async () => {
      const frozen = variablesOf();
      const whole = variablesOf();
      const optimizers = [tf.train.adam(0.01), tf.train.adam(0.01)] as const;
      for (let step = 0; step < 3; step++) {
        // The first variable is frozen in the second step: the others' moments must not be those of their neighbours.
        apply(optimizers[0], frozen, step, step === 1 ? 1 : 0);
        apply(optimizers[1], whole, step);
      }
      await expectClose(await numbers(frozen.slice(1)), await numbers(whole.slice(1)), OUTPUT_TOLERANCE);
      tf.dispose([frozen, whole]);
      for (const optimizer of optimizers) optimizer.dispose();
    });
  });

  it('goes on from saved weights', async () => {
    await withPatch(async () => {
      const [variables, others] = [variablesOf(), variablesOf()];
      const optimizer = tf.train.adam(0.01);
      apply(optimizer, variables, 0);
      const saved = await optimizer.getWeights();
      const loaded = tf.train.adam(0.01);
      await loaded.setWeights(saved.map(({ name, tensor }) => ({ name, tensor: tensor.clone() })));
      for (const [i, variable] of others.entries()) variable.assign(variables[i]!);
      apply(optimizer, variables, 1);
      // Of other variables, as those of a model that was loaded are.
      apply(loaded, others, 1);
      await expectClose(await numbers(others), await numbers(variables), 0);
      tf.dispose([variables, others, saved[0]!.tensor]);
      optimizer.dispose();
      loaded.dispose();
    });
  });

  it('is the same in a captured step', async () => {
    const run = async (isCaptured: boolean) => {
      const variables = variablesOf();
      const optimizer = tf.train.adam(0.01);
      const loss = (x: Tensor) =>
        tf.mul(tf.addN(variables.map((variable) => tf.sum(tf.square(variable)))), x) as Scalar;
      const once = (x: Tensor) => optimizer.minimize(() => loss(x), true, variables)!;
      const step = isCaptured ? capture(once) : once;
      for (let i = 1; i <= 4; i++) {
        const x = tf.scalar(i);
        const value = step(x);
        x.dispose();
        if (!isCaptured) value.dispose();
      }
      const { iterations } = optimizer;
      const result = await numbers(variables);
      if (isCaptured) (step as Captured<[Tensor], Tensor>).dispose();
      tf.dispose(variables);
      optimizer.dispose();
      return { iterations, result };
    };
    await withPatch(async () => {
      const [captured, eager] = [await run(true), await run(false)];
      expect(captured).to.deep.equal(eager);
    });
  });

  it("leaves a gradient that does not fit to tfjs's error", async () => {
    await withPatch(() => {
      const variable = tf.variable(tf.ones([3]));
      const optimizer = tf.train.adam(0.01);
      expect(() => optimizer.applyGradients({ [variable.name]: tf.ones([2]) } as never)).to.throw();
      variable.dispose();
      optimizer.dispose();
    });
  });
});
