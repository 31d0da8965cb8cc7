import {
  equal,
  type GradConfig,
  gatherND,
  onesLike,
  scatterND,
  type Tensor,
  TensorScatterUpdate,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { noGradient } from '../shared/no_gradient.js';

/** Where the same place is updated twice, one of the updates counts, nobody says which: each has the place's gradient. */
export const tensorScatterUpdate: GradConfig = {
  kernelName: TensorScatterUpdate,
  inputsToSave: ['indices', 'updates'],
  gradFunc: (dy, saved) => {
    const [indices, updates] = saved as [Tensor, Tensor];
    const slope = dy as Tensor;
    return {
      tensor: () => {
        if (updates.size === 0) return slope;
        // tensorScatterUpdate itself writes into its input on the cpu backend, which would be dy.
        const counts = scatterND(indices, onesLike(updates), slope.shape);
        return where(equal(counts, 0), slope, zerosLike(slope));
      },
      indices: () => noGradient(indices),
      updates: () => (updates.size === 0 ? zerosLike(updates) : gatherND(slope, indices)),
    };
  },
};
