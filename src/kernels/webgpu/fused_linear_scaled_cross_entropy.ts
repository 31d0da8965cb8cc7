import {
  FusedLinearScaledCrossEntropy,
  FusedLinearScaledCrossEntropyGrad,
} from '../contracts/fused_linear_scaled_cross_entropy.js';
import { NO_GRADIENTS } from '../contracts/shared/chunked_linear.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { chunkedLinear, chunkedLinearSizes } from './shared/chunked_linear.js';
import {
  scaledCrossEntropyGradient,
  scaledCrossEntropyLoss,
  scaledCrossEntropyResults,
} from './shared/scaled_cross_entropy_rows.js';

export const fusedLinearScaledCrossEntropy = webgpuKernel(
  FusedLinearScaledCrossEntropy,
  (gpu, inputs, { temperature, ignoreIndex, returnEntropy, ...attrs }) => {
    const { labels } = inputs;
    const chunked = { ...attrs, gradients: NO_GRADIENTS };
    const call = { ...chunkedLinearSizes(inputs, chunked), labels, attrs: { temperature, ignoreIndex } };
    const results = scaledCrossEntropyResults(gpu, labels, { returnEntropy });
    chunkedLinear(gpu, inputs, chunked, {
      loss: (chunk) => scaledCrossEntropyLoss(gpu, call, results, chunk),
      slopes: () => {},
    });
    return results;
  },
);

export const fusedLinearScaledCrossEntropyGrad = webgpuKernel(
  FusedLinearScaledCrossEntropyGrad,
  (gpu, { labels, lse, dnll, entropy, dentropy, ...inputs }, { temperature, ignoreIndex, ...attrs }) => {
    const call = { ...chunkedLinearSizes(inputs, attrs), labels, attrs: { temperature, ignoreIndex } };
    const slopes = { lse, dnll, entropy, dentropy };
    return chunkedLinear(gpu, inputs, attrs, {
      // A tenth more time for a quarter less memory.
      partsShare: 0.1,
      loss: () => {},
      slopes: (chunk) => scaledCrossEntropyGradient(gpu, call, slopes, chunk),
    });
  },
);
