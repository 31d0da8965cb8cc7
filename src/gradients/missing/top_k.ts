import {
  add,
  type GradConfig,
  mul,
  range,
  reshape,
  scatterND,
  type Tensor,
  TopK,
  tensor1d,
  zerosLike,
} from '@tensorflow/tfjs-core';

/** The gradients of the values go to where these were in their rows. */
export const topK: GradConfig = {
  kernelName: TopK,
  inputsToSave: ['x'],
  outputsToSave: [false, true],
  gradFunc: (dy, saved) => {
    const [x, indices] = saved as [Tensor, Tensor];
    return {
      x: () => {
        if (indices.size === 0) return zerosLike(x);
        const [k, columns] = [indices.shape.at(-1)!, x.shape.at(-1)!];
        const rows = indices.size / k;
        const row = mul(reshape(range(0, rows, 1, 'int32'), [rows, 1, 1]), tensor1d([1, 0], 'int32'));
        const column = mul(reshape(indices, [rows, k, 1]), tensor1d([0, 1], 'int32'));
        const [values] = dy as [Tensor, Tensor];
        return reshape(scatterND(add(row, column), reshape(values, [rows, k]), [rows, columns]), x.shape);
      },
    };
  },
};
