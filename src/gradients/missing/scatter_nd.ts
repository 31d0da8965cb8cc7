import { type GradConfig, gatherND, ScatterNd, type Tensor, zerosLike } from '@tensorflow/tfjs-core';
import { noGradient } from '../shared/no_gradient.js';

/** Updates of the same place add up, so that each has that place's gradient. */
export const scatterNd: GradConfig = {
  kernelName: ScatterNd,
  inputsToSave: ['indices', 'updates'],
  gradFunc: (dy, saved) => {
    const [indices, updates] = saved as [Tensor, Tensor];
    return {
      indices: () => noGradient(indices),
      updates: () => (updates.size === 0 ? zerosLike(updates) : gatherND(dy as Tensor, indices)),
    };
  },
};
