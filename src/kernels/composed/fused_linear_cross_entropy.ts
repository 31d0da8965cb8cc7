import {
  add,
  concat,
  dispose,
  type KernelFunc,
  matMul,
  mul,
  reshape,
  scalar,
  slice,
  sum,
  type Tensor,
  type Tensor2D,
  tidy,
  zerosLike,
} from '@tensorflow/tfjs-core';
import type { FusedLinearCrossEntropyAttrs } from '../kernel_names.js';
import { crossEntropyRows, crossEntropyRowsGrad, crossEntropyStats, crossEntropyTotals } from './cross_entropy.js';

interface Inputs {
  x: Tensor;
  weight: Tensor2D;
  labels: Tensor;
  bias?: Tensor;
  classWeight?: Tensor;
  dy?: Tensor;
}

/** Floats of logits that exist at once, unless `chunkSize` says otherwise. */
const LOGITS_BUDGET = 2 ** 23;

export const fusedLinearCrossEntropy: KernelFunc = ({ inputs, attrs }) =>
  tidy(() => {
    const { x, weight, labels, bias, classWeight, dy } = inputs as unknown as Inputs;
    const attributes = attrs as unknown as FusedLinearCrossEntropyAttrs;
    const { chunkSize, useTokenScaling, transposeWeight, gradients } = attributes;
    const { returnTokenAccuracy, returnPredictedTokens } = attributes;
    const [vocabulary, hidden] = transposeWeight ? [weight.shape[1], weight.shape[0]] : weight.shape;
    const rows = labels.size;
    const chunk = chunkSize || Math.max(1, Math.floor(LOGITS_BUDGET / vocabulary));
    const stats = crossEntropyStats(labels, vocabulary, classWeight, attributes);
    const tokens = reshape(x, [rows, hidden]);
    const rowLabels = reshape(labels, [rows]);
    const rowDy = dy && reshape(dy, [rows]);

    /** One chunk: what its rows give, and its part of the gradients. */
    const runChunk = (first: number) =>
      tidy(() => {
        const count = Math.min(chunk, rows - first);
        const part = slice(tokens, [first, 0], [count, hidden]) as Tensor2D;
        const partLabels = slice(rowLabels, [first], [count]);
        const product = matMul(part, weight, false, !transposeWeight);
        const logits = bias ? add(product, bias) : product;
        const results = crossEntropyRows(logits, partLabels, classWeight, stats, attributes);
        const scale = useTokenScaling ? results.probability() : undefined;
        const scaled = (values: Tensor) => (scale ? mul(values, scale) : values);
        // The labels stand in for what no one asked for, which would need a pass over the logits.
        const correct = returnTokenAccuracy ? results.correct() : partLabels;
        const predicted = returnPredictedTokens ? results.predicted() : partLabels;
        const output = [scaled(results.loss), scaled(results.z), correct, predicted];
        if (!gradients) return output;
        const upstream = scaled(rowDy ? slice(rowDy, [first], [count]) : scalar(1));
        const d = crossEntropyRowsGrad(logits, partLabels, classWeight, results.lse, stats, upstream, attributes);
        const dweightPart = transposeWeight ? matMul(part, d, true) : matMul(d, part, true);
        const parts = [matMul(d, weight, false, transposeWeight), dweightPart];
        return [...output, ...parts, ...(bias ? [sum(d, 0)] : [])];
      });

    let dweight: Tensor | undefined;
    let dbias: Tensor | undefined;
    /** Not left to tidy, which would hold a weight's size for each chunk until the end. */
    const accumulate = (total: Tensor | undefined, part: Tensor) => {
      if (!total) return part;
      const next = add(total, part);
      dispose([total, part]);
      return next;
    };
    const columns: Tensor[][] = [[], [], [], [], []];
    for (let first = 0; first < rows; first += chunk) {
      const [loss, z, correct, predicted, dx, dweightPart, dbiasPart] = runChunk(first);
      [loss!, z!, correct!, predicted!].forEach((values, i) => {
        columns[i]!.push(values);
      });
      if (!gradients) continue;
      columns[4]!.push(dx!);
      dweight = accumulate(dweight, dweightPart!);
      if (bias) dbias = accumulate(dbias, dbiasPart!);
    }
    const joined = (i: number) => (columns[i]!.length > 0 ? concat(columns[i]!, 0) : rowLabels);
    const results = {
      loss: joined(0),
      z: joined(1),
      correct: () => joined(2),
      predicted: () => joined(3),
    };
    const totals = crossEntropyTotals(results, labels.shape, stats, attributes);
    if (!gradients) return totals;
    const dx = rows === 0 ? zerosLike(x) : reshape(joined(4), x.shape);
    return [...totals, dx, dweight ?? zerosLike(weight), ...(bias ? [dbias ?? zerosLike(bias)] : [])];
  });
