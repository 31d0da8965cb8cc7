import { cast, mul, scalar, type Tensor } from '@tensorflow/tfjs-core';
import { FusedLinearCrossEntropy } from '../contracts/fused_linear_cross_entropy.js';
import { linearFeatures } from '../contracts/shared/linear_features.js';
import { chunkedLinear } from './shared/chunked_linear.js';
import { composedKernel } from './shared/composed_kernel.js';
import {
  crossEntropyRows,
  crossEntropyRowsGrad,
  crossEntropyStats,
  crossEntropyTotals,
} from './shared/cross_entropy_rows.js';

export const fusedLinearCrossEntropy = composedKernel(FusedLinearCrossEntropy, (inputs, attrs) => {
  const { weight, labels, classWeight } = inputs;
  const { transposeWeight, useTokenScaling, returnTokenAccuracy, returnPredictedTokens } = attrs;
  const { outFeatures: vocabulary } = linearFeatures(weight, transposeWeight);
  const stats = crossEntropyStats(labels, vocabulary, classWeight, attrs);
  const { column, gradients } = chunkedLinear(inputs, attrs, labels.size, ({ logits, dy, of }) => {
    const labelsOfChunk = of(labels);
    const rows = crossEntropyRows(logits, labelsOfChunk, classWeight, stats, attrs);
    const scale = useTokenScaling ? rows.probability() : undefined;
    const scaled = (values: Tensor) => (scale ? mul(values, scale) : values);
    return {
      columns: {
        loss: scaled(rows.loss),
        z: scaled(rows.z),
        // The labels stand in for what no one asked for, which would need a pass over the logits.
        correct: returnTokenAccuracy ? rows.correct() : labelsOfChunk,
        predicted: returnPredictedTokens ? rows.predicted() : labelsOfChunk,
      },
      dlogits: () => {
        const upstream = scaled(dy ?? scalar(1));
        return crossEntropyRowsGrad(logits, labelsOfChunk, classWeight, rows.lse, stats, upstream, attrs);
      },
    };
  });
  const rows = {
    loss: column('loss'),
    z: column('z'),
    correct: () => column('correct'),
    predicted: () => cast(column('predicted'), 'int32'),
  };
  return { ...crossEntropyTotals(rows, labels.shape, stats, attrs), ...gradients };
});
