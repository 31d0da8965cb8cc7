import { FusedLinearCrossEntropy } from '../contracts/fused_linear_cross_entropy.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { chunkedLinear, chunkedLinearSizes } from './shared/chunked_linear.js';
import {
  type CrossEntropyRows,
  crossEntropyGradient,
  crossEntropyLoss,
  crossEntropyResults,
  crossEntropyTotals,
} from './shared/cross_entropy_rows.js';

export const fusedLinearCrossEntropy = webgpuKernel(FusedLinearCrossEntropy, (gpu, inputs, attrs) => {
  const { labels, classWeight, dy } = inputs;
  const { rows, vocabulary, stride } = chunkedLinearSizes(inputs, attrs);
  const tokenScaled = attrs.useTokenScaling;
  const call: CrossEntropyRows = { rows, vocabulary, stride, labels, weight: classWeight, attrs, tokenScaled };
  const results = crossEntropyResults(gpu, call);
  const gradients = chunkedLinear(gpu, inputs, attrs, {
    loss: ({ logits, first, count }) => crossEntropyLoss(gpu, call, results, logits, first, count),
    slopes: ({ logits, first, count }) =>
      crossEntropyGradient(gpu, call, results, { dlogits: logits, dy }, first, count),
  });
  const totals = crossEntropyTotals(gpu, call, results);
  gpu.release(results.stats, results.lse, results.tokenScale);
  return { ...totals, ...gradients };
});
