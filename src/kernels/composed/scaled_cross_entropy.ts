import { reshape, type Tensor } from '@tensorflow/tfjs-core';
import { ScaledCrossEntropy, ScaledCrossEntropyGrad } from '../contracts/scaled_cross_entropy.js';
import { composedKernel } from './shared/composed_kernel.js';
import { flatten } from './shared/rows.js';
import { scaledCrossEntropyRows, scaledCrossEntropyRowsGrad } from './shared/scaled_cross_entropy_rows.js';

export const scaledCrossEntropy = composedKernel(
  ScaledCrossEntropy,
  ({ logits, labels }, { returnEntropy, ...attrs }) => {
    const { nll, lse, entropy } = scaledCrossEntropyRows(flatten(logits), labels, attrs);
    const perToken = (values: Tensor) => reshape(values, labels.shape);
    return { nll: perToken(nll), lse: perToken(lse), ...(returnEntropy && { entropy: perToken(entropy()) }) };
  },
);

export const scaledCrossEntropyGrad = composedKernel(ScaledCrossEntropyGrad, ({ logits, labels, ...slopes }, attrs) => {
  const d = scaledCrossEntropyRowsGrad(flatten(logits), labels, slopes, attrs);
  return { dlogits: reshape(d, logits.shape) };
});
