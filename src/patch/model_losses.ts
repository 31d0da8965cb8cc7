/** Cross entropy as the loss of a tf.LayersModel: from the logits where a softmax makes its output, and without one-hot labels. */
import {
  backend,
  cast,
  clipByValue,
  floor,
  greaterEqual,
  less,
  log,
  logicalAnd,
  minimum,
  reshape,
  scalar,
  softmax,
  type Tensor,
  tidy,
  where,
} from '@tensorflow/tfjs-core';
import { runKernel } from '../engine/run_kernel.js';
import { SoftCrossEntropy } from '../kernels/contracts/soft_cross_entropy.js';
import { crossEntropy } from '../ops/cross_entropy.js';
import { inTurn, replaceMethod } from './replace_method.js';
import {
  type Activation,
  type ActivationLayer,
  type Layer,
  type LossOrMetric,
  lossNamed,
  type Model,
  type SoftmaxLayer,
} from './tfjs_layers.js';

/** A loss of tfjs-layers, of each sample. */
interface Loss {
  /** What is used instead, for reports. */
  by: string;
  /** Given targets and what softmax makes probabilities of. */
  fromLogits: LossOrMetric;
  fromProbabilities: LossOrMetric;
}

/** tfjs-layers takes no probability for less than this, or for more than 1 less it. */
const epsilon = () => backend().epsilon();

const NOT_A_LABEL = -100;

/** A label of no class counts nothing, as its row of tfjs's one-hot matrix is of zeros. */
function labelsOf(target: Tensor, shape: number[], classes: number): Tensor {
  const labels = reshape(target.dtype === 'int32' ? target : cast(floor(target), 'int32'), shape);
  const isClass = logicalAnd(greaterEqual(labels, 0), less(labels, classes));
  return where(isClass, labels, scalar(NOT_A_LABEL, 'int32'));
}

function sparse(target: Tensor, logits: Tensor): Tensor {
  const labels = labelsOf(target, logits.shape.slice(0, -1), logits.shape.at(-1)!);
  const loss = crossEntropy(logits, labels, { reduction: 'none', ignoreIndex: NOT_A_LABEL });
  return minimum(loss, -Math.log(epsilon()));
}

function dense(targets: Tensor, logits: Tensor): Tensor {
  const attrs = { labelSmoothing: 0, reduction: 'none', epsilon: epsilon(), targetsAreNormalized: false } as const;
  return runKernel(SoftCrossEntropy, { logits, targets }, attrs).loss;
}

/** By their names in tfjs-layers. The logarithms of probabilities are logits of the same ones. */
const losses = {
  categoricalCrossentropy: {
    by: 'liger.softCrossEntropy',
    fromLogits: dense,
    fromProbabilities: (targets, p) => dense(targets, log(clipByValue(p, 1e-37, 3e38))), // no logarithm of 0
  },
  sparseCategoricalCrossentropy: {
    by: 'liger.crossEntropy',
    fromLogits: sparse,
    fromProbabilities: (target, p) => sparse(target, log(clipByValue(p, epsilon(), 1 - epsilon()))),
  },
} as const satisfies Record<string, Loss>;

export type ModelLoss = keyof typeof losses;

export const modelLosses = Object.keys(losses) as ModelLoss[];

const identity: Activation = { apply: (x) => x, getClassName: () => 'linear' };

/** A layer that ends in a softmax over classes: how to leave that out, which returns how to undo it. */
function softmaxAtTheEnd(layer: Layer, rank: number): (() => () => void) | undefined {
  const isLast = (axis: number | number[]) => [-1, rank - 1].includes(Number(axis));
  const { activation } = layer as Partial<ActivationLayer>;
  if (activation?.getClassName() === 'softmax') {
    return () => swap(layer as ActivationLayer, 'activation', identity);
  }
  if (layer.getClassName() === 'Softmax' && isLast((layer as SoftmaxLayer).axis)) {
    return () => swap(layer as SoftmaxLayer, 'softmax', identity.apply);
  }
  return undefined;
}

function swap<T extends object, K extends keyof T>(object: T, key: K, value: T[K]): () => void {
  const original = object[key];
  object[key] = value;
  return () => {
    object[key] = original;
  };
}

/** How to have an output of a model be logits, if its layer is nothing else's. */
function logitsInstead(model: Model, output: number): (() => () => void) | undefined {
  const layer = model.outputLayers[output]!;
  const uses = model.outputLayers.filter((other) => other === layer).length;
  const isShared = uses > 1 || layer.inboundNodes.length !== 1 || layer.outboundNodes.length > 0;
  return isShared ? undefined : softmaxAtTheEnd(layer, model.outputs[output]!.shape.length);
}

/** Runs a batch with the stock loss's functions replaced where they are used, and puts all back. */
function withLoss<R>(model: Model, stock: LossOrMetric, loss: Loss, run: () => R): R {
  const { lossFunctions = [], metricsTensors = [] } = model;
  const isStock = lossFunctions.map((lossFunction) => lossFunction === stock);
  const leaveOut = isStock.map((is, i) => (is ? logitsInstead(model, i) : undefined));
  const fused =
    (i: number): LossOrMetric =>
    (target, output) =>
      tidy(() => (leaveOut[i] ? loss.fromLogits : loss.fromProbabilities)(target, output));
  const measured = (metric: LossOrMetric, i: number): LossOrMetric => {
    if (metric === stock) return fused(i);
    return leaveOut[i] ? (target, logits) => metric(target, softmax(logits)) : metric;
  };
  const undo = [
    swap(
      model,
      'lossFunctions',
      lossFunctions.map((lossFunction, i) => (isStock[i] ? fused(i) : lossFunction)),
    ),
    swap(
      model,
      'metricsTensors',
      metricsTensors.map(([metric, i]) => [measured(metric, i), i]),
    ),
    ...leaveOut.flatMap((out) => (out ? [out()] : [])),
  ];
  try {
    return run();
  } finally {
    inTurn(undo)();
  }
}

/**
 * Replaces a loss of one model, or, given the prototype, of all. Returns how to undo it.
 *
 * A batch's outputs are logits then, if a softmax makes them, and its metrics are given the softmax of these.
 */
export function replaceLoss(target: Model, name: ModelLoss): () => void {
  const stock = lossNamed(name)!;
  const undoTrain = replaceMethod(
    target,
    'makeTrainFunction',
    (make) =>
      function (this: Model) {
        const train = make.call(this);
        return (data) => withLoss(this, stock, losses[name], () => train(data));
      },
  );
  const undoTest = replaceMethod(
    target,
    'makeTestFunction',
    (make) =>
      function (this: Model) {
        make.call(this);
        const test = this.testFunction!;
        this.testFunction = (data) => withLoss(this, stock, losses[name], () => test(data));
      },
  );
  return inTurn([undoTrain, undoTest]);
}

/** How the outputs of a compiled model have a loss replaced, a row each. */
export function howLossIsReplaced(model: Model, name: ModelLoss) {
  const stock = lossNamed(name);
  return (model.lossFunctions ?? []).flatMap((lossFunction, i) => {
    if (lossFunction !== stock) return [];
    const from = logitsInstead(model, i) ? 'from logits' : 'from probabilities: no softmax of its own makes them';
    return [
      {
        name: `loss of ${model.outputLayers[i]!.name}`,
        className: name,
        replacedBy: `${losses[name].by}, ${from}`,
        reason: '',
      },
    ];
  });
}
