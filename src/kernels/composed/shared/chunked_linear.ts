import {
  add,
  concat,
  dispose,
  matMul,
  reshape,
  slice,
  sum,
  type Tensor,
  tidy,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { type ChunkedLinearAttrs, type ChunkedLinearInputs, wantsAny } from '../../contracts/shared/chunked_linear.js';
import type { Tensors } from '../../contracts/shared/contract.js';
import { linearFeatures } from '../../contracts/shared/linear_features.js';
import { columnsOf } from './rows.js';

/** Floats of logits that exist at once, unless `chunkSize` says otherwise. */
const LOGITS_BUDGET = 2 ** 23;

/** Some successive tokens. */
export interface Chunk {
  /** Their logits [count, V]. */
  readonly logits: Tensor;
  /** What the gradient of each one's loss is multiplied by, [count]; 1 unless given. */
  readonly dy: Tensor | undefined;
  /** Their part of a tensor with a number for each token. */
  of(perToken: Tensor): Tensor;
}

/** What a loss makes of a chunk. */
export interface ChunkResult<Column extends string> {
  /** Numbers for each token, [count]. */
  readonly columns: Readonly<Record<Column, Tensor>>;
  /** The gradient of the logits, [count, V]. */
  dlogits(): Tensor;
}

/**
 * A loss over the logits x · weightᵀ + bias, which exist for a chunk of tokens at a time: the columns of all tokens, [rows], and
 * the gradients that are wanted.
 *
 * @param rows The number of tokens.
 * @param visit Called for each chunk, in a tidy.
 */
export function chunkedLinear<Column extends string>(
  { x, weight, bias, dy }: Tensors<ChunkedLinearInputs, Tensor>,
  { transposeWeight, chunkSize, gradients }: ChunkedLinearAttrs,
  rows: number,
  visit: (chunk: Chunk) => ChunkResult<Column>,
) {
  const hidden = columnsOf(x);
  const { outFeatures: vocabulary } = linearFeatures(weight, transposeWeight);
  const size = chunkSize || Math.max(1, Math.floor(LOGITS_BUDGET / vocabulary));
  const tokens = reshape(x, [rows, hidden]);

  const runChunk = (first: number) =>
    tidy(() => {
      const count = Math.min(size, rows - first);
      const part = slice(tokens, [first, 0], [count, hidden]);
      const of = (perToken: Tensor) => slice(reshape(perToken, [rows]), [first], [count]);
      const product = matMul(part, weight, false, !transposeWeight);
      const { columns, dlogits } = visit({ logits: bias ? add(product, bias) : product, dy: dy && of(dy), of });
      return { columns: { ...columns }, ...(wantsAny(gradients) && gradientsOf(dlogits(), part)) };
    });
  const gradientsOf = (d: Tensor, part: Tensor) => ({
    ...(gradients.x && { dx: matMul(d, weight, false, transposeWeight) }),
    ...(gradients.weight && { dweight: transposeWeight ? matMul(part, d, true) : matMul(d, part, true) }),
    ...(gradients.bias && { dbias: sum(d, 0) }),
  });

  const columns: Array<Record<Column, Tensor>> = [];
  const dxs: Tensor[] = [];
  let dweight: Tensor | undefined;
  let dbias: Tensor | undefined;
  for (let first = 0; first < rows; first += size) {
    const chunk = runChunk(first);
    columns.push(chunk.columns);
    if (chunk.dx) dxs.push(chunk.dx);
    dweight = accumulate(dweight, chunk.dweight);
    dbias = accumulate(dbias, chunk.dbias);
  }
  const joined = (parts: Tensor[], shape: number[]) =>
    parts.length > 0 ? reshape(concat(parts, 0), shape) : zeros(shape);
  return {
    /** A column of all tokens, [rows]. */
    column: (name: Column) =>
      joined(
        columns.map((chunk) => chunk[name]),
        [rows],
      ),
    gradients: {
      dx: gradients.x ? joined(dxs, x.shape) : undefined,
      dweight: gradients.weight ? (dweight ?? zerosLike(weight)) : undefined,
      dbias: gradients.bias ? (dbias ?? zeros([vocabulary])) : undefined,
    },
  };
}

/** Not left to tidy, which would hold a weight's size for each chunk until the end. */
function accumulate(total: Tensor | undefined, part: Tensor | undefined): Tensor | undefined {
  if (!total || !part) return total ?? part;
  const next = add(total, part);
  dispose([total, part]);
  return next;
}
