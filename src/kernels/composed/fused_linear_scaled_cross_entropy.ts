import { reshape, type Tensor } from '@tensorflow/tfjs-core';
import {
  FusedLinearScaledCrossEntropy,
  FusedLinearScaledCrossEntropyGrad,
} from '../contracts/fused_linear_scaled_cross_entropy.js';
import { NO_GRADIENTS } from '../contracts/shared/chunked_linear.js';
import { chunkedLinear } from './shared/chunked_linear.js';
import { composedKernel } from './shared/composed_kernel.js';
import { scaledCrossEntropyRows, scaledCrossEntropyRowsGrad } from './shared/scaled_cross_entropy_rows.js';

export const fusedLinearScaledCrossEntropy = composedKernel(
  FusedLinearScaledCrossEntropy,
  (inputs, { temperature, ignoreIndex, returnEntropy, ...attrs }): { nll: Tensor; lse: Tensor; entropy?: Tensor } => {
    const { labels } = inputs;
    const chunked = { ...attrs, gradients: NO_GRADIENTS };
    const { column } = chunkedLinear(inputs, chunked, labels.size, ({ logits, of }) => {
      const { nll, lse, entropy } = scaledCrossEntropyRows(logits, of(labels), { temperature, ignoreIndex });
      // The labels stand in for what no one asked for.
      return { columns: { nll, lse, entropy: returnEntropy ? entropy() : of(labels) }, dlogits: () => logits };
    });
    const all = (name: 'nll' | 'lse' | 'entropy') => reshape(column(name), labels.shape);
    const [nll, lse] = [all('nll'), all('lse')];
    return returnEntropy ? { nll, lse, entropy: all('entropy') } : { nll, lse };
  },
);

export const fusedLinearScaledCrossEntropyGrad = composedKernel(
  FusedLinearScaledCrossEntropyGrad,
  ({ labels, lse, dnll, entropy, dentropy, ...inputs }, { temperature, ignoreIndex, ...attrs }) => {
    const { gradients } = chunkedLinear(inputs, attrs, labels.size, ({ logits, of }) => {
      const dlogits = () => {
        const withEntropy = entropy && dentropy && { entropy: of(entropy), dentropy: of(dentropy) };
        const slopes = { lse: of(lse), dnll: of(dnll), ...withEntropy };
        return scaledCrossEntropyRowsGrad(logits, of(labels), slopes, { temperature, ignoreIndex });
      };
      return { columns: {}, dlogits };
    });
    return gradients;
  },
);
