import type { GradConfig, Tensor } from '@tensorflow/tfjs-core';
import { Embedding, EmbeddingGrad } from '../kernels/kernel_names.js';
import { runKernel } from '../kernels/run_kernel.js';

export const embeddingGradConfig: GradConfig = {
  kernelName: Embedding,
  inputsToSave: ['table', 'indices'],
  gradFunc: (dy, saved) => {
    const [table, indices] = saved;
    const [dtable] = runKernel(EmbeddingGrad, { dy: dy as Tensor, indices }, { vocabularySize: table!.shape[0]! });
    return { table: () => dtable! };
  },
};
