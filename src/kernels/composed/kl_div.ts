import { exp, greater, log, mul, neg, sub } from '@tensorflow/tfjs-core';
import { KlDiv, KlDivGrad } from '../contracts/kl_div.js';
import { composedKernel } from './shared/composed_kernel.js';
import { divergenceGradient, divergenceLoss } from './shared/divergence.js';
import { only } from './shared/rows.js';

export const klDiv = composedKernel(KlDiv, (inputs, attrs) => {
  const { input, target } = inputs;
  const [p, logP] = attrs.logTarget ? [exp(target), target] : [target, log(target)];
  return divergenceLoss(inputs, attrs, only(greater(p, 0), mul(p, sub(logP, input))));
});

export const klDivGrad = composedKernel(KlDivGrad, (inputs, attrs) =>
  divergenceGradient(inputs, attrs, neg(attrs.logTarget ? exp(inputs.target) : inputs.target)),
);
