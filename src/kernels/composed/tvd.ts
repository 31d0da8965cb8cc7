import { abs, mul, sign, sub } from '@tensorflow/tfjs-core';
import { Tvd, TvdGrad } from '../contracts/tvd.js';
import { composedKernel } from './shared/composed_kernel.js';
import { divergenceGradient, divergenceLoss } from './shared/divergence.js';

export const tvd = composedKernel(Tvd, (inputs, attrs) =>
  divergenceLoss(inputs, attrs, mul(abs(sub(inputs.input, inputs.target)), 0.5)),
);

export const tvdGrad = composedKernel(TvdGrad, (inputs, attrs) =>
  divergenceGradient(inputs, attrs, mul(sign(sub(inputs.input, inputs.target)), 0.5)),
);
