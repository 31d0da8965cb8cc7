import { Jsd, JsdGrad } from '../contracts/jsd.js';
import { composedKernel } from './shared/composed_kernel.js';
import { divergenceGradient, divergenceLoss } from './shared/divergence.js';
import { jsdElements, jsdSlopes } from './shared/jsd_terms.js';

export const jsd = composedKernel(Jsd, (inputs, attrs) => {
  const { input: logQ, target: logP } = inputs;
  return divergenceLoss(inputs, attrs, jsdElements({ logP, logQ }, attrs.beta));
});

export const jsdGrad = composedKernel(JsdGrad, (inputs, attrs) => {
  const { input: logQ, target: logP } = inputs;
  return divergenceGradient(inputs, attrs, jsdSlopes({ logP, logQ }, attrs.beta));
});
