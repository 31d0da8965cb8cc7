import type { Tensor, TensorLike } from '@tensorflow/tfjs-core';
import type { ConfigOf } from '../checks/config_schema.js';
import { float32, int32, Signature } from '../checks/signature.js';
import { runKernel } from '../engine/run_kernel.js';
import { Embedding } from '../kernels/contracts/embedding.js';
import { checkRange } from './shared/label_range.js';

const signature = new Signature('embedding', { table: float32('V', 'C'), indices: int32('...') }, {});

/** Options of {@link embedding}: there are none. */
export interface EmbeddingConfig extends ConfigOf<typeof signature.options> {}

/**
 * The rows of a table at some indices. The gradient sums the uses of each row in their order, so it repeats bit for bit,
 * and takes no more memory than the table.
 *
 * An index out of range is an error where the indices are in JavaScript's memory, and gives a row of NaN where they are on a
 * device.
 *
 * `LigerEmbedding` in Liger-Kernel.
 *
 * @param table `[V, C]`.
 * @param indices `[...]`, int32, in [0, V).
 * @returns `[..., C]`. Differentiable in the table.
 */
export function embedding(table: Tensor | TensorLike, indices: Tensor | TensorLike, config?: EmbeddingConfig): Tensor {
  return signature.call({ table, indices }, config, ({ tensors, sizes }) => {
    checkRange(signature.op, 'indices', tensors.indices, sizes.V);
    return runKernel(Embedding, tensors, {}).y;
  });
}
