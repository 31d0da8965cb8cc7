import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { Embedding, EmbeddingGrad } from '../kernels/contracts/embedding.js';

export const embeddingGradient = gradientOf(Embedding, {
  save: ['table', 'indices'],
  backward: ({ y: dy }, { table, indices }) => ({
    table: () => runKernel(EmbeddingGrad, { dy, indices }, { vocabularySize: table.shape[0]! }).dtable,
  }),
});
