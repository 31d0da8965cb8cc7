import {
  add,
  gather,
  greaterEqual,
  less,
  logicalAnd,
  reshape,
  scalar,
  scatterND,
  type Tensor,
  where,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { Embedding, EmbeddingGrad } from '../contracts/embedding.js';
import { composedKernel } from './shared/composed_kernel.js';
import { columnsOf } from './shared/rows.js';

export const embedding = composedKernel(Embedding, ({ table, indices }) => {
  if (indices.size === 0) return { y: zeros([...indices.shape, columnsOf(table)]) }; // WebGL's gather can't
  const { inRange, safe } = checked(indices, table.shape[0]!);
  const penalty = where(inRange, scalar(0), scalar(Number.NaN));
  return { y: add(gather(table, safe), reshape(penalty, [...indices.shape, 1])) };
});

export const embeddingGrad = composedKernel(EmbeddingGrad, ({ dy, indices }, { vocabularySize }) => {
  const columns = columnsOf(dy);
  if (indices.size === 0) return { dtable: zeros([vocabularySize, columns]) };
  const { inRange, safe } = checked(indices, vocabularySize);
  const updates = where(reshape(inRange, [indices.size, 1]), reshape(dy, [indices.size, columns]), scalar(0));
  return { dtable: scatterND(reshape(safe, [indices.size, 1]), updates, [vocabularySize, columns]) };
});

/** Which indices are in the table, and 0 in place of those that are not: stock ops don't agree on what they do with them. */
function checked(indices: Tensor, vocabularySize: number): { inRange: Tensor; safe: Tensor } {
  const inRange = logicalAnd(greaterEqual(indices, scalar(0, 'int32')), less(indices, scalar(vocabularySize, 'int32')));
  return { inRange, safe: where(inRange, indices, zerosLike(indices)) };
}
