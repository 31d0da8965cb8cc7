/** The update of tf.train.adam, as one kernel for all variables. */
import {
  AdamOptimizer,
  mul,
  type NamedTensorMap,
  type Tensor,
  tidy,
  util,
  type Variable,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { variableNamed } from '../engine/registered.js';
import { beforeReplay } from '../engine/replay.js';
import { runKernel } from '../engine/run_kernel.js';
import { AdamW, AdamWStep } from '../kernels/contracts/adam_w.js';
import { assignOutput } from '../optimizers/shared/assign_output.js';
import { replaceMethod } from './replace_method.js';

interface Moment {
  originalName: string;
  variable: Variable;
}

interface NamedTensor {
  name: string;
  tensor: Tensor;
}

/** Members of tfjs's optimizer that its types keep to itself. */
interface Adam {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly iterations: number;
  /** beta1 and beta2 to the power of the next step. */
  readonly accBeta1: Variable;
  readonly accBeta2: Variable;
  accumulatedFirstMoment: Moment[];
  accumulatedSecondMoment: Moment[];
  applyGradients(gradients: NamedTensorMap | NamedTensor[]): void;
  incrementIterations(): void;
}

interface Update {
  variable: Variable;
  gradient: Tensor;
  m: Variable;
  v: Variable;
}

/**
 * tfjs finds a variable's moments by its place among the gradients, which changes where layers are frozen. This puts them in the
 * order of the gradients, by their names, and adds those that are missing.
 */
function alignMoments(moments: readonly Moment[], names: readonly string[], suffix: string): Moment[] {
  const isAligned = names.every((name, i) => moments[i]?.originalName === name + suffix);
  if (isAligned) return moments as Moment[];
  const known = new Map(moments.map((moment) => [moment.originalName, moment]));
  const variables = names.map(variableNamed);
  const isNamedAnew =
    !names.some((name) => known.has(name + suffix)) &&
    moments.length === names.length &&
    moments.every(({ variable }, i) => util.arraysEqual(variable.shape, variables[i]?.shape ?? []));
  const aligned = names.map((name, i) => {
    const originalName = name + suffix;
    // Moments that were loaded may have the names of the model that was saved; they are then in its order.
    if (isNamedAnew) return { originalName, variable: moments[i]!.variable };
    const moment = known.get(originalName);
    known.delete(originalName);
    return moment ?? { originalName, variable: tidy(() => zerosLike(variables[i]!).variable(false)) };
  });
  return isNamedAnew ? aligned : [...aligned, ...known.values()];
}

/** What one kernel can update, or undefined where something is amiss, which tfjs then tells. */
function updatesOf(adam: Adam, named: readonly NamedTensor[]): Update[] | undefined {
  const updates: Update[] = [];
  for (const [i, { name, tensor: gradient }] of named.entries()) {
    if (!gradient) continue;
    const variable = variableNamed(name)!;
    const fits = gradient.dtype === 'float32' && util.arraysEqual(gradient.shape, variable.shape);
    if (variable.dtype !== 'float32' || variable.size === 0 || !fits) return undefined;
    const [m, v] = [adam.accumulatedFirstMoment[i]!.variable, adam.accumulatedSecondMoment[i]!.variable];
    updates.push({ variable, gradient, m, v });
  }
  return updates;
}

function step(adam: Adam, updates: readonly Update[]): void {
  const { beta1, beta2, epsilon } = adam;
  tidy(() => {
    const learningRate = () => adam.learningRate;
    const iteration = () => adam.iterations + 1;
    const attrs = { learningRate, iteration, beta1, beta2, clipNorm: 0 };
    const scalars = runKernel(AdamWStep, { step: zeros([4]) }, attrs).step;
    const tensors = updates.flatMap(({ variable, gradient, m, v }) => [variable, gradient, m, v]);
    const weightDecays = updates.map(() => 0);
    const outputs = runKernel(AdamW, [scalars, ...tensors], { beta1, beta2, epsilon, weightDecays });
    for (const [i, target] of updates.flatMap(({ variable, m, v }) => [variable, m, v]).entries()) {
      assignOutput(target, outputs[i]!);
    }
    adam.accBeta1.assign(mul(adam.accBeta1, beta1));
    adam.accBeta2.assign(mul(adam.accBeta2, beta2));
  });
  adam.incrementIterations();
  beforeReplay(() => adam.incrementIterations());
}

/** Replaces the update of one optimizer, or, given the prototype, of all. Returns how to undo it. */
export function replaceAdam(target: AdamOptimizer = AdamOptimizer.prototype): () => void {
  return replaceMethod(
    target as unknown as Adam,
    'applyGradients',
    (stock) =>
      function (this: Adam, gradients) {
        const named = Array.isArray(gradients)
          ? gradients
          : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
        const names = named.map(({ name }) => name);
        if (names.some((name) => !variableNamed(name))) return stock.call(this, gradients);
        this.accumulatedFirstMoment = alignMoments(this.accumulatedFirstMoment, names, '/m');
        this.accumulatedSecondMoment = alignMoments(this.accumulatedSecondMoment, names, '/v');
        const updates = updatesOf(this, named);
        if (!updates || updates.length === 0) return stock.call(this, gradients);
        step(this, updates);
      },
  );
}
