import {
  add,
  concat,
  div,
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
} from '@tensorflow/tfjs-core';
import { AdamW, AdamWStep, SquaredNorms } from '../contracts/adam_w.js';
import { composedKernel } from './shared/composed_kernel.js';

export const adamW = composedKernel(AdamW, (inputs, { beta1, beta2, epsilon, weightDecays }) => {
  const scalar = (i: number) => reshape(slice(inputs[0]!, [i], [1]), []);
  const [learningRate, gradientScale, stepSize, rootCorrection] = [scalar(0), scalar(1), scalar(2), scalar(3)];
  return weightDecays.flatMap((weightDecay, i) => {
    const [parameter, gradient, m, v] = [1, 2, 3, 4].map((place) => inputs[4 * i + place]!) as Four;
    const g = mul(gradient, gradientScale);
    const newM = add(mul(m, beta1), mul(g, 1 - beta1));
    const newV = add(mul(v, beta2), mul(square(g), 1 - beta2));
    const decayed = mul(parameter, sub(1, mul(learningRate, weightDecay)));
    const denominator = add(mul(sqrt(newV), rootCorrection), epsilon);
    return [sub(decayed, div(mul(newM, stepSize), denominator)), newM, newV];
  });
});

type Four = [Tensor, Tensor, Tensor, Tensor];

export const adamWStep = composedKernel(
  AdamWStep,
  ({ squaredNorms }, attrs): { step: Tensor; gradientNorm?: Tensor } => {
    const { clipNorm, beta1, beta2 } = attrs;
    const [learningRate, iteration] = [attrs.learningRate(), attrs.iteration()];
    const stepSize = learningRate / (1 - beta1 ** iteration);
    const rootCorrection = 1 / Math.sqrt(1 - beta2 ** iteration);
    if (!squaredNorms) return { step: tensor1d([learningRate, 1, stepSize, rootCorrection]) };
    const gradientNorm = sqrt(sum(squaredNorms));
    const gradientScale = minimum(div(clipNorm, add(gradientNorm, 1e-6)), 1);
    return { step: stack([learningRate, gradientScale, stepSize, rootCorrection]), gradientNorm };
  },
);

/** A number for each row, since one sum over a whole matrix would round more on backends that add in sequence. */
export const squaredNorms = composedKernel(SquaredNorms, (inputs) => {
  const sumOfRows = (squares: Tensor) => reshape(squares.rank > 1 ? sum(squares, -1) : sum(squares), [-1]);
  return { squaredNorms: concat(Object.values(inputs).map((x) => sumOfRows(square(x)))) };
});
