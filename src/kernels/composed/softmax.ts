import { softmax as coreSoftmax, type KernelFunc, mul, sub, sum, type Tensor, tidy } from '@tensorflow/tfjs-core';

export const softmax: KernelFunc = ({ inputs }) => coreSoftmax(inputs.x as Tensor);

export const softmaxGrad: KernelFunc = ({ inputs }) => {
  const { dy, y } = inputs as { dy: Tensor; y: Tensor };
  return tidy(() => mul(y, sub(dy, sum(mul(dy, y), -1, true))));
};
