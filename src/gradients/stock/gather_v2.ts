import { GatherV2, reshape, type Tensor, util } from '@tensorflow/tfjs-core';
import { runKernel } from '../../engine/run_kernel.js';
import type { GradientReplacement } from '../../engine/stock_kernels.js';
import { EmbeddingGrad } from '../../kernels/contracts/embedding.js';

/** tfjs's compares each row of the table with each index. */
export const gatherV2: GradientReplacement = {
  kernelName: GatherV2,
  gradFunc: (dy, [x, indices], { axis, batchDims }) => {
    if (axis !== 0 || batchDims !== 0 || x!.size === 0 || indices!.size === 0) return undefined;
    const [vocabularySize, ...inner] = x!.shape as [number, ...number[]];
    return {
      x: () => {
        const rows = reshape(dy as Tensor, [indices!.size, util.sizeFromShape(inner)]);
        const { dtable } = runKernel(EmbeddingGrad, { dy: rows, indices: indices! }, { vocabularySize });
        return reshape(dtable, x!.shape);
      },
      indices: () => indices!,
    };
  },
};
