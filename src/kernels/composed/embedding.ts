import {
  add,
  gather,
  greaterEqual,
  type KernelFunc,
  less,
  logicalAnd,
  reshape,
  scalar,
  scatterND,
  type Tensor,
  type Tensor2D,
  tidy,
  where,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import type { EmbeddingGradAttrs } from '../kernel_names.js';

export const embedding: KernelFunc = ({ inputs }) => {
  const { table, indices } = inputs as { table: Tensor2D; indices: Tensor };
  return tidy(() => {
    const [vocabularySize, hidden] = table.shape;
    if (indices.size === 0) return zeros([...indices.shape, hidden]); // WebGL's gather can't
    const { inRange, safe } = checked(indices, vocabularySize);
    const penalty = where(inRange, scalar(0), scalar(Number.NaN));
    return add(gather(table, safe), reshape(penalty, [...indices.shape, 1]));
  });
};

export const embeddingGrad: KernelFunc = ({ inputs, attrs }) => {
  const { dy, indices } = inputs as { dy: Tensor; indices: Tensor };
  const { vocabularySize } = attrs as unknown as EmbeddingGradAttrs;
  return tidy(() => {
    const hidden = dy.shape[dy.rank - 1]!;
    if (indices.size === 0) return zeros([vocabularySize, hidden]);
    const { inRange, safe } = checked(indices, vocabularySize);
    const updates = where(reshape(inRange, [indices.size, 1]), reshape(dy, [indices.size, hidden]), scalar(0));
    return scatterND(reshape(safe, [indices.size, 1]), updates, [vocabularySize, hidden]);
  });
};

/** Which indices are in the table, and 0 in place of those that are not: stock ops don't agree on what they do with them. */
function checked(indices: Tensor, vocabularySize: number): { inRange: Tensor; safe: Tensor } {
  const inRange = logicalAnd(greaterEqual(indices, scalar(0, 'int32')), less(indices, scalar(vocabularySize, 'int32')));
  return { inRange, safe: where(inRange, indices, zerosLike(indices)) };
}
