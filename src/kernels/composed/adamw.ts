import {
  add,
  concat,
  div,
  type KernelFunc,
  minimum,
  mul,
  reshape,
  slice,
  sqrt,
  square,
  stack,
  sub,
  sum,
  type Tensor,
  tensor1d,
  tidy,
} from '@tensorflow/tfjs-core';
import type { AdamWAttrs, AdamWStepAttrs } from '../kernel_names.js';

export const adamW: KernelFunc = ({ inputs, attrs }) => {
  const [step, ...rest] = Object.values(inputs) as [Tensor, ...Tensor[]];
  const { beta1, beta2, epsilon, weightDecays } = attrs as unknown as AdamWAttrs;
  return tidy(() => {
    const scalar = (i: number) => reshape(slice(step, [i], [1]), []);
    const [learningRate, gradientScale, stepSize, rootCorrection] = [scalar(0), scalar(1), scalar(2), scalar(3)];
    return weightDecays.flatMap((weightDecay, i) => {
      const [parameter, gradient, m, v] = rest.slice(4 * i, 4 * i + 4) as [Tensor, Tensor, Tensor, Tensor];
      const g = mul(gradient, gradientScale!);
      const newM = add(mul(m, beta1), mul(g, 1 - beta1));
      const newV = add(mul(v, beta2), mul(square(g), 1 - beta2));
      const decayed = mul(parameter, sub(1, mul(learningRate!, weightDecay)));
      const denominator = add(mul(sqrt(newV), rootCorrection!), epsilon);
      return [sub(decayed, div(mul(newM, stepSize!), denominator)), newM, newV];
    });
  });
};

export const adamWStep: KernelFunc = ({ inputs, attrs }) => {
  const { squaredNorms } = inputs as { squaredNorms?: Tensor };
  const { learningRate, clipNorm, beta1, beta2, iteration } = attrs as unknown as AdamWStepAttrs;
  const stepSize = learningRate / (1 - beta1 ** iteration);
  const rootCorrection = 1 / Math.sqrt(1 - beta2 ** iteration);
  return tidy(() => {
    if (!squaredNorms) return [tensor1d([learningRate, 1, stepSize, rootCorrection])];
    const gradientNorm = sqrt(sum(squaredNorms));
    const gradientScale = minimum(div(clipNorm, add(gradientNorm, 1e-6)), 1);
    return [stack([learningRate, gradientScale, stepSize, rootCorrection]), gradientNorm];
  });
};

/** A number for each row, since one sum over a whole matrix would round more on backends that add in sequence. */
export const squaredNorms: KernelFunc = ({ inputs }) => {
  const sumOfRows = (squares: Tensor) => reshape(squares.rank > 1 ? sum(squares, -1) : sum(squares), [-1]);
  return tidy(() => concat(Object.values(inputs as unknown as Tensor[]).map((x) => sumOfRows(square(x)))));
};
