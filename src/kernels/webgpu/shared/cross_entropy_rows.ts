import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { CrossEntropyAttrs } from '../../contracts/cross_entropy.js';
import type { Gpu } from '../runtime/gpu.js';
import {
  type CrossEntropySpec,
  gradProgram,
  labelSumsProgram,
  type Quantity,
  ROWS_A_BLOCK,
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

const blocksOf = (rows: number) => Math.max(1, Math.ceil(rows / ROWS_A_BLOCK));

/** Records the sums that every row's loss and gradient are divided by, [4]. */
function crossEntropyStats(gpu: Gpu, { rows, vocabulary, labels, weight, attrs }: CrossEntropyRows): TensorInfo {
  const stats = gpu.output([4]);
  const { ignoreIndex, reduction, numItemsInBatch } = attrs;
  const weighted = weight !== undefined;
  const blocks = blocksOf(rows);
  const blockSums = blocks > 1 ? gpu.output([blocks, 4]) : undefined;
  if (blockSums) gpu.run(labelSumsProgram, { weighted }, { labels, weight, blockSums }, { rows, ignoreIndex }, blocks);
  const spec = { weighted, vocabulary, hasBlocks: blocks > 1 };
  const uniforms = { rows, blocks, ignoreIndex, isMean: reduction === 'mean' ? 1 : 0, numItemsInBatch };
  gpu.run(statsProgram, spec, { blockSums, labels, weight, stats }, uniforms, 1);
  gpu.release(blockSums);
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
  const uniforms = { ignoreIndex, lseSquareScale };
  const total = (quantity: Quantity, values: TensorInfo) => {
    const tensors = { values, labels, stats, tokenScale };
    const isShare = quantity === 'tokenAccuracy' && !perRow;
    const spec = { quantity, perRow, tokenScaled: tokenScaled && quantity === 'zLoss', isShare };
    const result = gpu.output(perRow ? labels.shape : []);
    const blocks = blocksOf(rows);
    if (perRow || blocks === 1) {
      const workgroups = perRow ? Math.ceil(rows / 256) : 1;
      gpu.run(totalProgram, spec, { ...tensors, total: result }, { rows, ...uniforms }, workgroups);
      return result;
    }
    const parts = gpu.output([blocks]);
    gpu.run(totalProgram, { ...spec, isShare: false }, { ...tensors, total: parts }, { rows, ...uniforms }, blocks);
    const sum = { quantity: 'loss', perRow: false, tokenScaled: false, isShare } as const;
    gpu.run(totalProgram, sum, { values: parts, stats, total: result }, { rows: blocks, ...uniforms }, 1);
    gpu.release(parts);
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
