import { GatherNd, type GradConfig, reshape, scatterND, type Tensor, zerosLike } from '@tensorflow/tfjs-core';
import { noGradient } from '../shared/no_gradient.js';

/** What was gathered from the same place adds up. */
export const gatherNd: GradConfig = {
  kernelName: GatherNd,
  inputsToSave: ['params', 'indices'],
  gradFunc: (dy, saved) => {
    const [params, indices] = saved as [Tensor, Tensor];
    return {
      params: () => {
        if (indices.size === 0) return zerosLike(params);
        const depth = indices.shape.at(-1)!;
        const count = indices.size / depth;
        // A single place is a vector of indices, which scatterND does not take.
        const updates = reshape(dy as Tensor, [count, ...params.shape.slice(depth)]);
        return scatterND(reshape(indices, [count, depth]), updates, params.shape);
      },
      indices: () => noGradient(indices),
    };
  },
};
