import {
  add,
  cast,
  clipByValue,
  div,
  exp,
  expandDims,
  greaterEqual,
  lessEqual,
  log,
  logicalAnd,
  max,
  mul,
  neg,
  notEqual,
  reshape,
  scalar,
  sub,
  sum,
  type Tensor,
} from '@tensorflow/tfjs-core';
import { SoftCrossEntropy, SoftCrossEntropyGrad } from '../contracts/soft_cross_entropy.js';
import { composedKernel } from './shared/composed_kernel.js';
import { columnsOf, flatten, only, sumOfRow } from './shared/rows.js';

/** y: the targets, as floats, mixed with the uniform distribution. */
function mixed(targets: Tensor, labelSmoothing: number): Tensor {
  const y = cast(targets, 'float32');
  return labelSmoothing > 0 ? add(mul(y, 1 - labelSmoothing), labelSmoothing / columnsOf(y)) : y;
}

/** y where the cost, −log p, is that of a probability within epsilon's limits, and 0 beyond them. */
const withinLimits = (y: Tensor, cost: Tensor, epsilon: number): Tensor =>
  epsilon > 0 ? only(logicalAnd(lessEqual(cost, -Math.log(epsilon)), greaterEqual(cost, -Math.log1p(-epsilon))), y) : y;

/** What a row's loss is divided by, for `rows` of them. */
const divisorOf = (reduction: string, rows: number) => (reduction === 'mean' ? Math.max(rows, 1) : 1);

export const softCrossEntropy = composedKernel(
  SoftCrossEntropy,
  ({ logits, targets }, { labelSmoothing, reduction, epsilon, targetsAreNormalized }) => {
    const shape = logits.shape.slice(0, -1);
    const [x, y] = [flatten(logits), flatten(mixed(targets, labelSmoothing))];
    const m = max(x, 1, true);
    const below = sub(x, m);
    const logTotal = log(sumOfRow(exp(below)));
    const costs = sub(logTotal, below);
    const counted = epsilon > 0 ? clipByValue(costs, -Math.log1p(-epsilon), -Math.log(epsilon)) : costs;
    const losses = sumOfRow(only(notEqual(y, 0), mul(y, counted)));
    const total = () => (x.size === 0 ? scalar(0) : div(sum(losses), divisorOf(reduction, losses.size)));
    return {
      loss: reduction === 'none' ? reshape(losses, shape) : total(),
      lse: reshape(add(m, logTotal), shape),
      mass: targetsAreNormalized ? undefined : reshape(sumOfRow(withinLimits(y, costs, epsilon)), shape),
    };
  },
);

export const softCrossEntropyGrad = composedKernel(
  SoftCrossEntropyGrad,
  ({ dy, logits, targets, lse, mass }, { labelSmoothing, reduction, epsilon, dtargets }) => {
    const dloss = reduction === 'none' ? expandDims(dy, -1) : div(dy, divisorOf(reduction, lse.size));
    const logP = sub(logits, expandDims(lse, -1));
    const p = mass ? mul(exp(logP), expandDims(mass, -1)) : exp(logP);
    const y = withinLimits(mixed(targets, labelSmoothing), neg(logP), epsilon);
    return {
      dlogits: mul(sub(p, y), dloss),
      dtargets: dtargets ? mul(logP, mul(dloss, labelSmoothing - 1)) : undefined,
    };
  },
);
