import { add, mul, reshape, rsqrt, square, sub, sum, type Tensor, zeros } from '@tensorflow/tfjs-core';
import { GroupNorm, GroupNormGrad, type GroupNormGradAttrs, groupShape } from '../contracts/group_norm.js';
import { composedKernel } from './shared/composed_kernel.js';

/** Shapes in which groups and their channels have dimensions of their own, and what is summed there. */
function layoutOf(shape: readonly number[], attrs: GroupNormGradAttrs) {
  const { batches, channels, inGroup, positions } = groupShape(shape, attrs);
  const groups = attrs.numGroups;
  const isFirst = attrs.dataFormat === 'channelsFirst';
  const groupAxes = isFirst ? [2, 3] : [1, 3];
  const perGroup = isFirst ? [batches, groups, 1, 1] : [batches, 1, groups, 1];
  // Some backends cannot sum nothing, or leave the sum unwritten.
  const isEmpty = positions === 0;
  return {
    whole: isFirst ? [batches, groups, inGroup, positions] : [batches, positions, groups, inGroup],
    perGroup,
    perChannel: isFirst ? [1, groups, inGroup, 1] : [1, 1, groups, inGroup],
    meanOfGroups: (x: Tensor) => (isEmpty ? zeros(perGroup) : mul(sum(x, groupAxes, true), 1 / (inGroup * positions))),
    sumOfChannels: (x: Tensor) =>
      isEmpty ? zeros([channels]) : reshape(sum(x, isFirst ? [0, 3] : [0, 1]), [channels]),
  };
}

export const groupNorm = composedKernel(GroupNorm, (inputs, { epsilon, ...attrs }) => {
  const { whole, perChannel, meanOfGroups } = layoutOf(inputs.x.shape, attrs);
  const x = reshape(inputs.x, whole);
  const [gamma, beta] = [reshape(inputs.gamma, perChannel), reshape(inputs.beta, perChannel)];
  const estimate = meanOfGroups(x);
  const nearlyCentred = sub(x, estimate);
  // Some backends add one by one, which loses digits where the mean is large; the sum of what remains loses none.
  const remainder = meanOfGroups(nearlyCentred);
  const centred = sub(nearlyCentred, remainder);
  const rstd = rsqrt(add(meanOfGroups(square(centred)), epsilon));
  const y = add(mul(mul(centred, rstd), gamma), beta);
  const stats = [whole[0]!, attrs.numGroups];
  return {
    y: reshape(y, inputs.x.shape),
    mean: reshape(add(estimate, remainder), stats),
    rstd: reshape(rstd, stats),
  };
});

export const groupNormGrad = composedKernel(GroupNormGrad, (inputs, attrs) => {
  const { whole, perGroup, perChannel, meanOfGroups, sumOfChannels } = layoutOf(inputs.x.shape, attrs);
  const [dy, x] = [reshape(inputs.dy, whole), reshape(inputs.x, whole)];
  const r = reshape(inputs.rstd, perGroup);
  const normalized = mul(sub(x, reshape(inputs.mean, perGroup)), r);
  const w = mul(dy, reshape(inputs.gamma, perChannel));
  const projection = mul(normalized, meanOfGroups(mul(w, normalized)));
  const dx = mul(r, sub(sub(w, meanOfGroups(w)), projection));
  return {
    dx: reshape(dx, inputs.x.shape),
    dgamma: sumOfChannels(mul(dy, normalized)),
    dbeta: sumOfChannels(dy),
  };
});
