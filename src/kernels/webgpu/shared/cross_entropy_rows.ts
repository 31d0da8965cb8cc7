import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { CrossEntropyAttrs } from '../../contracts/cross_entropy.js';
import type { Gpu } from '../runtime/gpu.js';
import {
  type CrossEntropySpec,
  gradProgram,
  rowsProgram,
  statsProgram,
  totalProgram,
} from './cross_entropy_programs.js';

/** One cross entropy over some rows, whose logits may come in several chunks. */
export interface CrossEntropyRows {
  readonly rows: number;
  readonly vocabulary: number;
  readonly stride: number;
  readonly labels: TensorInfo;
  readonly weight?: TensorInfo | undefined;
  readonly attrs: CrossEntropyAttrs;
  readonly tokenScaled: boolean;
}

function specOf({ vocabulary, stride, weight, attrs, tokenScaled }: CrossEntropyRows): CrossEntropySpec {
  return {
    vocabulary,
    stride,
    weighted: weight !== undefined,
    smoothed: attrs.labelSmoothing > 0,
    softcapped: attrs.softcap > 0,
    tokenScaled,
  };
}

/** The tensors of all rows that `crossEntropyLoss` fills, chunk by chunk. */
export interface CrossEntropyResults {
  readonly stats: TensorInfo;
  readonly loss: TensorInfo;
  readonly lse: TensorInfo;
  readonly predictedTokens?: TensorInfo | undefined;
  readonly tokenScale?: TensorInfo | undefined;
}

/** Records the sums that every row's loss and gradient are divided by, [4]. */
function crossEntropyStats(gpu: Gpu, { rows, vocabulary, labels, weight, attrs }: CrossEntropyRows): TensorInfo {
  const stats = gpu.output([4]);
  const { ignoreIndex, reduction, numItemsInBatch } = attrs;
  const uniforms = { rows, ignoreIndex, isMean: reduction === 'mean' ? 1 : 0, numItemsInBatch };
  gpu.run(statsProgram, { weighted: weight !== undefined, vocabulary }, { labels, weight, stats }, uniforms, 1);
  return stats;
}

/** Records `stats`, and makes the tensors that `crossEntropyLoss` fills. */
export function crossEntropyResults(gpu: Gpu, call: CrossEntropyRows): CrossEntropyResults {
  const { shape } = call.labels;
  const { returnTokenAccuracy, returnPredictedTokens } = call.attrs;
  return {
    stats: crossEntropyStats(gpu, call),
    loss: gpu.output(shape),
    lse: gpu.output(shape),
    predictedTokens: returnTokenAccuracy || returnPredictedTokens ? gpu.output(shape, 'int32') : undefined,
    tokenScale: call.tokenScaled ? gpu.output(shape) : undefined,
  };
}

/** Records the losses of `count` rows from `firstRow` on, whose logits are given. */
export function crossEntropyLoss(
  gpu: Gpu,
  call: CrossEntropyRows,
  results: CrossEntropyResults,
  logits: TensorInfo,
  firstRow = 0,
  count = call.rows,
): void {
  const { labels, weight, attrs } = call;
  const { ignoreIndex, labelSmoothing, lseSquareScale, softcap } = attrs;
  const spec = { ...specOf(call), predicted: results.predictedTokens !== undefined };
  const uniforms = { firstRow, ignoreIndex, labelSmoothing, lseSquareScale, softcap, nan: Number.NaN };
  gpu.run(rowsProgram, spec, { logits, labels, weight, ...results }, uniforms, { rows: count });
}

/** Records the gradient of the logits; in place when only `dlogits` is given, which holds them then. */
export function crossEntropyGradient(
  gpu: Gpu,
  call: CrossEntropyRows,
  { lse, stats, tokenScale }: Pick<CrossEntropyResults, 'lse' | 'stats' | 'tokenScale'>,
  { logits, dlogits, dy }: { logits?: TensorInfo; dlogits: TensorInfo; dy?: TensorInfo | undefined },
  firstRow = 0,
  count = call.rows,
): void {
  const { labels, weight, attrs } = call;
  const { ignoreIndex, labelSmoothing, lseSquareScale, softcap, reduction } = attrs;
  const upstream = dy ? (reduction === 'none' ? 'rows' : 'scalar') : 'one';
  const spec = { ...specOf(call), inPlace: logits === undefined, dy: upstream } as const;
  const uniforms = { firstRow, ignoreIndex, labelSmoothing, lseSquareScale, softcap };
  gpu.run(gradProgram, spec, { logits, labels, lse, stats, dy, weight, tokenScale, dlogits }, uniforms, {
    rows: count,
  });
}

/** Records what is returned of the rows' results, as far as it is asked for, and gives back what only led to it. */
export function crossEntropyTotals(
  gpu: Gpu,
  call: CrossEntropyRows,
  { stats, loss, lse, predictedTokens, tokenScale }: CrossEntropyResults,
): CrossEntropyTotals {
  const { rows, labels, attrs, tokenScaled } = call;
  const { ignoreIndex, lseSquareScale, reduction } = attrs;
  const perRow = reduction === 'none';
  const total = (quantity: 'loss' | 'zLoss' | 'tokenAccuracy', values: TensorInfo) => {
    const result = gpu.output(perRow ? labels.shape : []);
    const workgroups = perRow ? Math.ceil(rows / 256) : 1;
    const tensors = { values, labels, stats, tokenScale, total: result };
    const spec = { quantity, perRow, tokenScaled: tokenScaled && quantity === 'zLoss' };
    gpu.run(totalProgram, spec, tensors, { rows, ignoreIndex, lseSquareScale }, workgroups);
    return result;
  };
  const totals = {
    loss: perRow ? loss : total('loss', loss),
    zLoss: attrs.returnZLoss ? total('zLoss', lse) : undefined,
    tokenAccuracy: attrs.returnTokenAccuracy && predictedTokens ? total('tokenAccuracy', predictedTokens) : undefined,
    predictedTokens: attrs.returnPredictedTokens ? predictedTokens : undefined,
  };
  if (!totals.predictedTokens) gpu.release(predictedTokens);
  if (!perRow) gpu.release(loss);
  return totals;
}

interface CrossEntropyTotals {
  loss: TensorInfo;
  zLoss: TensorInfo | undefined;
  tokenAccuracy: TensorInfo | undefined;
  predictedTokens: TensorInfo | undefined;
}
